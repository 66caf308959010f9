"""Mixtures of normals against quadrature, one component's closed forms, and themselves there and back."""

import math

import numpy as np
import pytest
import torch

from diffbench.diffusion.expected_bound import expected_terms
from diffbench.diffusion.gaussians import Gaussian
from diffbench.diffusion.likelihood import vlb_term
from diffbench.diffusion.mixtures import Mixture
from diffbench.diffusion.process import Level, noised, training_chain

torch.set_num_threads(1)
CHAIN = training_chain("cosine", 1000)
CLEAN = CHAIN.level(1000)


def table(rows):
    return torch.tensor(rows, dtype=torch.float64)


def mixture(weights, means, variances):
    size = len(means[0])
    return Mixture(table(weights), table(means).reshape(-1, 1, 1, size), table(variances).reshape(-1, 1, 1, size))


LINE = mixture([0.3, 0.7], [[-0.8], [0.5]], [[0.02], [0.1]])
PLANE = mixture([0.3, 0.5, 0.2], [[-0.6, 0.2], [0.5, 0.4], [0.2, -0.7]], [[0.1, 0.06], [0.06, 0.12], [0.08, 0.08]])
ONE = mixture([1.0], [[0.3, -0.2]], [[0.25, 0.04]])
ONE_GAUSSIAN = Gaussian(table([[[0.3, -0.2]]]), table([[[0.25, 0.04]]]))


def level_of(alpha, sigma):
    return Level(table(alpha), table(sigma))


def starts(num_images=32):
    return torch.randn(num_images, 1, 1, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("alpha", "sigma"), [(0.8, 0.6), (0.05, 0.9987), (1.0, 12.0), (0.99, 0.05)])
def test_denoiser_and_density_by_bayes_rule(alpha, sigma):
    x_0 = np.linspace(-8, 8, 400_001)
    prior = sum(
        w * np.exp(-((x_0 - m) ** 2) / (2 * v)) / math.sqrt(2 * math.pi * v)
        for w, m, v in ((0.3, -0.8, 0.02), (0.7, 0.5, 0.1))
    )
    x_t = 0.4 * math.hypot(alpha, sigma)
    joint = prior * np.exp(-((x_t - alpha * x_0) ** 2) / (2 * sigma**2)) / math.sqrt(2 * math.pi * sigma**2)
    x = torch.full((2, 1, 1, 1), x_t, dtype=torch.float64)
    found = LINE.denoiser(0.25)(x, level_of(alpha, sigma))
    assert math.isclose(float(found.x_0[0]), (x_0 * joint).sum() / joint.sum(), rel_tol=1e-7)
    assert math.isclose(alpha * float(found.x_0[0]) + sigma * float(found.eps[0]), x_t, rel_tol=1e-12)
    density = joint.sum() * (x_0[1] - x_0[0])
    assert math.isclose(float(LINE.log_density(x, level_of(alpha, sigma))[0]), math.log(density), rel_tol=1e-7)
    assert (found.variance_fraction == 0.25).all()


def test_one_component_is_normal_data():
    x = starts()
    for i in (0, 400, 990):
        level = CHAIN.level(i)
        ours, theirs = ONE.denoiser()(x, level), ONE_GAUSSIAN.denoiser()(x, level)
        torch.testing.assert_close(ours.x_0, theirs.x_0, rtol=1e-13, atol=1e-14)
        torch.testing.assert_close(ours.eps, theirs.eps, rtol=1e-13, atol=1e-14)
        torch.testing.assert_close(ONE.log_density(x, level), ONE_GAUSSIAN.log_density(x, level))
        assert math.isclose(ONE.error(level), float(ONE_GAUSSIAN.error_variance(level).mean()), rel_tol=1e-12)


def test_flow_is_the_closed_form_for_one_component():
    x = starts()
    error = (ONE.flow(x, CHAIN.level(0), CLEAN) - ONE_GAUSSIAN.flow(x, CHAIN.level(0), CLEAN)).abs().max()
    assert error < 1e-11


def test_flow_there_and_back_and_with_less_care():
    x = starts()
    end = PLANE.flow(x, CHAIN.level(0), CLEAN)
    assert (PLANE.flow(end, CLEAN, CHAIN.level(0)) - x).abs().max() < 1e-10
    half = PLANE.flow(PLANE.flow(x, CHAIN.level(0), CHAIN.level(700)), CHAIN.level(700), CLEAN)
    assert (half - end).abs().max() < 1e-10
    assert 0 < (PLANE.flow(x, CHAIN.level(0), CLEAN, tolerance=1e-8) - end).abs().max() < 1e-6


def test_flow_keeps_the_share_of_the_density_below_a_point():
    # On a line the flow is monotone, so that it carries quantiles to quantiles.
    x = table([-1.5, -0.3, 0.0, 0.4, 2.0]).reshape(5, 1, 1, 1)
    level = CHAIN.level(300)
    end = LINE.flow(x, level, CLEAN).flatten()

    def below(points, alpha, sigma):
        parts = [
            w * torch.special.ndtr((points - alpha * m) / math.sqrt(alpha**2 * v + sigma**2))
            for w, m, v in ((0.3, -0.8, 0.02), (0.7, 0.5, 0.1))
        ]
        return parts[0] + parts[1]

    torch.testing.assert_close(
        below(end, 1.0, 0.0), below(x.flatten(), float(level.alpha), float(level.sigma)), rtol=1e-10, atol=1e-12
    )


@pytest.mark.parametrize("data", [LINE, PLANE], ids=["line", "plane"])
@pytest.mark.parametrize("i", [0, 600, 900, 999])
def test_error_by_more_nodes_and_by_draws(data, i):
    level, shape = CHAIN.level(i), tuple(data.means.shape[1:])
    found = data.error(level)
    assert math.isclose(found, data.error(level, 401), rel_tol=1e-9, abs_tol=1e-12)
    x_0 = data.draw(torch.arange(20_000), 0, shape)
    eps = torch.randn(x_0.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    squares = ((data.denoiser()(level.alpha * x_0 + level.sigma * eps, level).x_0 - x_0) ** 2).flatten(1).mean(1)
    assert abs(float(squares.mean()) - found) < 4.5 * float(squares.std()) / math.sqrt(20_000)


def test_the_bounds_code_gives_the_terms_within_their_spread():
    chain = training_chain("linear", 40)
    errors = table([LINE.error(chain.level(i)) for i in range(40)])
    log_variance = 0.5 * (chain.beta.log() + chain.log_beta_tilde)
    exact = expected_terms(chain, errors[:, None], log_variance[:, None])
    x_0 = LINE.draw(torch.arange(4000), 0, (1, 1, 1))
    generator = torch.Generator().manual_seed(1)
    for i in range(0, 39, 4):
        x_t = noised(x_0, chain.level(i), torch.randn(x_0.shape, dtype=torch.float64, generator=generator))
        found = vlb_term(chain, torch.full((4000,), i), x_0, x_t, LINE.denoiser(0.5)(x_t, chain.level(i)))
        error = float(found.std()) / math.sqrt(4000)
        assert abs(float(found.mean()) - float(exact[i])) < 4.5 * error and error < 0.05 * float(exact[i])


def test_draws_fall_to_the_components_by_weight():
    drawn = LINE.draw(torch.arange(20_000), 0, (1, 1, 1)).flatten()
    mean = -0.3 * 0.8 + 0.7 * 0.5
    variance = 0.3 * (0.02 + 0.64) + 0.7 * (0.1 + 0.25) - mean**2
    assert abs(float(drawn.mean()) - mean) < 4.5 * math.sqrt(variance / 20_000)
    assert abs(float(drawn.var()) / variance - 1) < 0.05
    assert torch.equal(LINE.draw(torch.tensor([5]), 0, (1, 1, 1)).flatten(), drawn[5:6])
    with pytest.raises(ValueError, match=r"images of this mixture are \(1, 1, 1\), not \(1, 2, 2\)"):
        LINE.draw(torch.arange(2), 0, (1, 2, 2))


def test_what_is_no_mixture_is_refused():
    with pytest.raises(ValueError, match="sum to 1"):
        mixture([0.3, 0.6], [[0.0], [1.0]], [[1.0], [1.0]])
    with pytest.raises(ValueError, match="one image for each weight"):
        mixture([0.5, 0.5], [[0.0]], [[1.0]])
    with pytest.raises(ValueError, match="variances must be positive"):
        mixture([1.0], [[0.0]], [[0.0]])
    with pytest.raises(ValueError, match="one or two entries, not 3"):
        mixture([1.0], [[0.0, 0.0, 0.0]], [[1.0, 1.0, 1.0]]).error(CHAIN.level(0))
