"""Normal data: denoiser against Bayes' rule, density, flow map and distances against what defines them."""

import math

import numpy as np
import pytest
import torch

from diffbench.diffusion.gaussians import (
    Gaussian,
    GaussianDenoiser,
    gaussian_frechet,
    low_rank_spectrum,
    power_spectrum,
)
from diffbench.diffusion.process import Level, respaced_chain, training_chain
from diffbench.metrics.fid import Fid, frechet_distance
from diffbench.metrics.fid_infinity import FidInfinity
from diffbench.samplers._batches import sample
from diffbench.samplers._outcome import exact_outcome
from diffbench.samplers.ddim import Ddim

torch.set_num_threads(1)


@pytest.mark.parametrize(("alpha", "sigma"), [(0.8, 0.6), (0.05, 0.9987), (1.0, 12.0), (0.99, 0.02)])
def test_the_posterior_mean_of_normal_data_by_quadrature(alpha, sigma):
    mean, variance, x_t = 0.3, 0.25, 0.7 * math.hypot(alpha, sigma)
    x_0 = np.linspace(-6, 6, 400_001)
    log = -((x_0 - mean) ** 2) / (2 * variance) - (x_t - alpha * x_0) ** 2 / (2 * sigma**2)
    weight = np.exp(log - log.max())
    level = Level(*torch.tensor([alpha, sigma], dtype=torch.float64))
    found = GaussianDenoiser(mean, variance, 0.5)(torch.full((2, 1, 1, 1), x_t, dtype=torch.float64), level)
    assert math.isclose(found.x_0[0], (x_0 * weight).sum() / weight.sum(), rel_tol=1e-6)
    assert math.isclose(alpha * found.x_0[0] + sigma * found.eps[0], x_t, rel_tol=1e-9)
    assert found.variance_fraction.shape == (2, 1, 1, 1) and (found.variance_fraction == 0.5).all()


def test_means_and_variances_may_differ_by_pixel():
    mean, variance = torch.tensor([[[0.0, 1.0]]]).double(), torch.tensor([[[0.0, 1e12]]]).double()
    level = Level(torch.tensor(0.5).double(), torch.tensor(0.5).double())
    found = GaussianDenoiser(mean, variance)(torch.ones(1, 1, 1, 2).double(), level)
    # A pixel without spread is known beforehand; of one with all spread, only x_t tells.
    torch.testing.assert_close(found.x_0, torch.tensor([[[[0.0, 2.0]]]]).double())


LEVELS = [(0.8, 0.6), (0.05, 0.9987), (1.0, 12.0), (0.99, 0.02), (1.0, 0.0)]
DATA = Gaussian(torch.tensor([[[0.3, -0.1]]]).double(), torch.tensor([[[0.25, 0.04]]]).double())


def level_of(alpha, sigma):
    return Level(*torch.tensor([alpha, sigma], dtype=torch.float64))


@pytest.mark.parametrize(("alpha", "sigma"), LEVELS)
def test_density_integrates_to_one_and_is_the_product_of_entries(alpha, sigma):
    grid = torch.linspace(-80, 80, 1_600_001, dtype=torch.float64).reshape(-1, 1, 1, 1)
    one = Gaussian(0.3, 0.25)
    density = one.log_density(grid, level_of(alpha, sigma)).exp()
    assert math.isclose(float(density.sum() * 1e-4), 1, rel_tol=1e-9)
    x = torch.tensor([[[[0.2, -0.7]]]]).double()
    parts = [
        Gaussian(DATA.mean[..., j], DATA.variance[..., j]).log_density(x[..., j : j + 1], level_of(alpha, sigma))
        for j in (0, 1)
    ]
    torch.testing.assert_close(DATA.log_density(x, level_of(alpha, sigma)), parts[0] + parts[1])


def test_low_rank_data_has_no_density_where_nothing_blurs_it():
    flat = Gaussian(0.0, low_rank_spectrum(4, 0.25))
    x = torch.zeros(1, 1, 4, 4, dtype=torch.float64)
    assert torch.isfinite(flat.log_density(x, level_of(0.6, 0.8))).all()
    with pytest.raises(ValueError, match="no density at the clean level"):
        flat.log_density(x, level_of(1.0, 0.0))


@pytest.mark.parametrize(("alpha", "sigma"), LEVELS[:-1])
def test_the_score_of_the_density_is_minus_eps_over_sigma(alpha, sigma):
    x = torch.randn(3, 1, 1, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    level = level_of(alpha, sigma)
    (score,) = torch.autograd.grad(DATA.log_density(x, level).sum(), x)
    torch.testing.assert_close(-sigma * score, DATA.denoiser()(x, level).eps, rtol=1e-12, atol=1e-12)


def test_the_flow_solves_its_equation_and_composes():
    chain = training_chain("cosine", 50)
    x = torch.randn(4, 1, 1, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    noisy, middle, clean = chain.level(0), chain.level(30), chain.level(50)
    through = DATA.flow(DATA.flow(x, noisy, middle), middle, clean)
    torch.testing.assert_close(through, DATA.flow(x, noisy, clean), rtol=1e-12, atol=1e-13)
    torch.testing.assert_close(DATA.flow(through, clean, noisy), x, rtol=1e-12, atol=1e-12)
    # dz/dr = eps with z = x / alpha, r = sigma / alpha, by a central difference.
    r, step = 0.7, 1e-4
    here, there, back = (level_of(1.0, r + move) for move in (0.0, step, -step))
    slope = (DATA.flow(x, here, there) - DATA.flow(x, here, back)) / (2 * step)
    torch.testing.assert_close(slope, DATA.denoiser()(x, here).eps, rtol=1e-7, atol=1e-8)


def test_the_flow_carries_the_marginals_onto_one_another():
    # Each entry's mean and variance at one level become those at the other: its deviations keep their number.
    here, there = level_of(0.1, 0.99), level_of(0.9, 0.3)
    spread = (0.01 * DATA.variance + 0.9801).sqrt()
    x = (0.1 * DATA.mean + 1.7 * spread)[None]
    expected = 0.9 * DATA.mean + 1.7 * (0.81 * DATA.variance + 0.09).sqrt()
    torch.testing.assert_close(DATA.flow(x, here, there)[0], expected, rtol=1e-13, atol=0)


def test_draws_have_the_moments_and_depend_on_seed_and_index_alone():
    data = Gaussian(0.5, power_spectrum(4, 2))
    drawn = data.draw(torch.arange(20_000), 3, (1, 4, 4))
    assert drawn.dtype == torch.float64
    error = (drawn.mean(0) - 0.5) / (data.variance / 20_000).sqrt()
    assert error.abs().max() < 4.5
    assert ((drawn.var(0) / data.variance - 1) / math.sqrt(2 / 20_000)).abs().max() < 4.5
    assert torch.equal(data.draw(torch.tensor([7, 2]), 3, (1, 4, 4)), drawn[[7, 2]])
    assert not torch.equal(data.draw(torch.tensor([7]), 4, (1, 4, 4)), drawn[[7]])


@pytest.mark.parametrize(("alpha", "sigma"), LEVELS)
def test_error_variance_is_what_the_denoiser_leaves(alpha, sigma):
    # x_0 and eps on a grid of Gauss-Hermite nodes: exact for a quadratic.
    nodes, weights = (torch.from_numpy(array) for array in np.polynomial.hermite_e.hermegauss(3))
    weight = torch.outer(weights, weights).flatten() / (2 * math.pi)
    x_0 = 0.3 + 0.5 * nodes.repeat_interleave(3).reshape(9, 1, 1, 1)
    level = level_of(alpha, max(sigma, 1e-30))
    x_t = alpha * x_0 + sigma * nodes.repeat(3).reshape(9, 1, 1, 1)
    left = ((Gaussian(0.3, 0.25).denoiser()(x_t, level).x_0 - x_0) ** 2).flatten()
    found = float(Gaussian(0.3, 0.25).error_variance(level))
    assert math.isclose(float(weight @ left), found, rel_tol=1e-11, abs_tol=1e-30)


def test_eps_keeps_its_digits_where_there_is_hardly_noise():
    # x - alpha x_0 over sigma has 7 digits here; the quotient has them all.
    x, level = torch.full((1, 1, 1, 1), 0.9, dtype=torch.float64), level_of(1.0, 1e-8)
    assert math.isclose(float(GaussianDenoiser(0.3, 0.25)(x, level).eps), 1e-8 * 0.6 / (0.25 + 1e-16), rel_tol=1e-14)


def test_float32_stays_float32():
    x = torch.ones(2, 1, 4, 4)
    found = Gaussian(0.0, power_spectrum(4, 2)).denoiser()(x, level_of(0.8, 0.6))
    assert found.x_0.dtype == found.eps.dtype == torch.float32


def test_spectra_have_the_mean_and_the_shape_they_are_named_for():
    for spectrum in (power_spectrum(8, 0), power_spectrum(8, 2), power_spectrum(8, 4), low_rank_spectrum(8, 0.1)):
        assert spectrum.shape == (1, 8, 8) and math.isclose(float(spectrum.mean()), 0.25, rel_tol=1e-12)
    assert power_spectrum(8, 0).unique().numel() == 1
    falling = power_spectrum(8, 2).flatten()
    # The constant counts as one cycle; the highest frequency of 8 pixels is 4 cycles along each side.
    assert math.isclose(float(falling[0] / falling[-1]), 32, rel_tol=1e-12) and (falling.diff() <= 1e-18).all()
    assert int((low_rank_spectrum(8, 0.1) > 0).sum()) == 6


def test_frechet_is_the_metrics_own_distance():
    generator = torch.Generator().manual_seed(0)
    mean_1, mean_2 = torch.randn(2, 5, dtype=torch.float64, generator=generator)
    variance_1, variance_2 = torch.rand(2, 5, dtype=torch.float64, generator=generator) + 0.1
    theirs = frechet_distance(mean_1.numpy(), np.diag(variance_1.numpy()), mean_2.numpy(), np.diag(variance_2.numpy()))
    assert math.isclose(gaussian_frechet(mean_1, variance_1, mean_2, variance_2), theirs, rel_tol=1e-12)
    assert gaussian_frechet(mean_1, variance_1, mean_1, variance_1) == 0


def test_fid_infinity_of_a_samplers_images_covers_the_true_distance():
    """The distance of what DDIM draws in 10 steps from the data is known exactly; FID is biased by b / n."""
    data, chain = Gaussian(0.1, power_spectrum(3, 2)), respaced_chain("cosine", 1000, "10")
    outcome = exact_outcome(Ddim(), data.denoiser(), chain, (1, 3, 3))
    truth = gaussian_frechet(outcome.mean, outcome.variance, torch.full_like(outcome.mean, 0.1), data.variance)
    reference = {"mu": np.full(9, 0.1), "sigma": np.diag(data.variance.flatten().numpy())}

    def drawn(seed, num_images):
        x = sample(Ddim(), data.denoiser(), chain, index=range(num_images), shape=(1, 3, 3), seed=seed, micro_batch=600)
        return {"pool": x.flatten(1).double().numpy()}

    found = [FidInfinity()(drawn(seed, 600), reference) for seed in range(40)]
    covered = sum(estimate.low <= truth <= estimate.high for estimate in found)
    # 95 % of 40 is 38; fewer than 33 happens once in 300 times.
    assert covered >= 33
    bias = {n: np.mean([Fid()(drawn(seed, n), reference).value for seed in range(40)]) - truth for n in (150, 600)}
    assert bias[150] > 0 and bias[600] > 0
    assert 2 < bias[150] / bias[600] < 8
    assert abs(np.mean([estimate.value for estimate in found]) - truth) < 0.5 * bias[150]
