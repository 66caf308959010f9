"""Terms of the bound: probabilities that sum to 1, published numbers, divergences by quadrature."""

import math

import numpy as np
import pytest
import torch

from diffbench.diffusion.denoiser import Diffusion, ModelDenoiser, reverse_mean
from diffbench.diffusion.gaussians import GaussianDenoiser
from diffbench.diffusion.likelihood import (
    discretised_log_likelihood,
    normal_kl,
    per_image,
    prior_term,
    standard_normal_cdf,
    vlb_term,
)
from diffbench.diffusion.parameterization import PARAMETERIZATIONS, Prediction
from diffbench.diffusion.process import Chain, noised, over, training_chain

torch.set_num_threads(1)
LINEAR = training_chain("linear", 1000)


def grid(levels):
    return torch.linspace(-1, 1, levels, dtype=torch.float64).reshape(levels, 1, 1, 1)


@pytest.mark.parametrize("levels", [17, 256])
@pytest.mark.parametrize("mean", [-1.3, -0.999, -0.21, 0.0, 0.5, 1.1])
@pytest.mark.parametrize("scale", [0.01, 0.1, 1.0, 5.0])
def test_probabilities_of_the_grey_levels_sum_to_one(levels, mean, scale):
    x_0 = grid(levels)
    log = discretised_log_likelihood(x_0, torch.full_like(x_0, mean), torch.full_like(x_0, math.log(scale)), levels)
    # Bins that would have no mass are given 1e-12.
    assert abs(log.exp().sum() - 1) < 1e-9


@pytest.mark.parametrize("levels", [17, 256])
def test_a_bin_is_as_wide_as_the_grid_and_the_outermost_are_open(levels):
    x_0 = grid(levels)
    scale = 0.3
    found = discretised_log_likelihood(x_0, torch.zeros_like(x_0), torch.full_like(x_0, math.log(scale)), levels).exp()
    edges = (x_0.flatten()[1:] + x_0.flatten()[:-1]) / 2 / scale
    below = torch.special.ndtr(edges)
    exact = torch.diff(below, prepend=torch.zeros(1), append=torch.ones(1)).double()
    # The published tanh approximation of the distribution function is within 3.6e-4 of it.
    assert (found.flatten() - exact).abs().max() < 8e-4


def test_the_distribution_function_is_the_published_approximation():
    x = torch.linspace(-5, 5, 1001, dtype=torch.float64)
    error = (standard_normal_cdf(x) - torch.special.ndtr(x)).abs().max()
    assert 1e-5 < error < 4e-4
    assert standard_normal_cdf(torch.zeros(1)) == 0.5


def decoder_term(rmse, log_variance):
    """Bits of the decoder's term, averaged over normal errors of the given RMSE on the 0-255 scale."""
    x_0 = torch.full((1, 1, 200, 200), 2 * 100 / 255 - 1, dtype=torch.float64)
    quantiles = (torch.arange(40_000, dtype=torch.float64) + 0.5) / 40_000
    error = torch.special.ndtri(quantiles).reshape(x_0.shape) * rmse / 127.5
    log = discretised_log_likelihood(x_0, x_0 + error, torch.full_like(x_0, 0.5 * log_variance), 256)
    return float(-log.mean() / math.log(2))


def test_the_published_distortion_needs_beta_tilde_2():
    # Ho et al. 2020, section 4.3: 1.97 bits/dim at a root mean squared error of 0.95.
    assert abs(decoder_term(0.95, float(LINEAR.log_beta_tilde[-1])) - 1.975) < 0.002
    assert abs(decoder_term(0.95, float(LINEAR.beta[-1].log())) - 2.093) < 0.002


def test_the_published_distortion_follows_from_a_model_with_the_large_variance():
    # As above, through a model that predicts x_0 with such errors: its decoder's variance is that of its kind.
    quantiles = (torch.arange(10_000, dtype=torch.float64) + 0.5) / 10_000
    x_0 = torch.full((1, 1, 100, 100), 2 * 100 / 255 - 1, dtype=torch.float64)
    wrong = x_0 + torch.special.ndtri(quantiles).reshape(x_0.shape) * 0.95 / 127.5
    diffusion = Diffusion(parameterization="x_0", variance="fixed_large")
    denoiser = ModelDenoiser.of(diffusion, lambda x, t, y, low_res: wrong)
    last = torch.tensor([999])
    prediction = denoiser(x_0, denoiser.chain.level(last))
    assert abs(127.5 * float(((prediction.x_0 - x_0) ** 2).mean().sqrt()) - 0.95) < 1e-3
    assert abs(float(vlb_term(denoiser.chain, last, x_0, x_0, prediction)) - 1.975) < 0.002


def test_the_prior_term_of_the_published_chain_is_negligible():
    x_0 = torch.rand(8, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    found = prior_term(LINEAR, x_0)
    assert found.shape == (8,) and (found > 0).all() and (found < 1e-4).all()


def test_the_prior_term_by_its_formula():
    chain = Chain(torch.tensor([0.6]), torch.tensor([0.8]))
    x_0 = torch.tensor([[[[1.0, -0.5]]]]).double()
    nats = 0.5 * (0.64 + 0.36 * (1 + 0.25) / 2 - 1 - math.log(0.64))
    # float32 levels were given.
    assert math.isclose(prior_term(chain, x_0), nats / math.log(2), rel_tol=1e-6)


@pytest.mark.parametrize(("a", "b"), [((0.3, -0.4), (0.3, -0.4)), ((0.0, 0.0), (1.0, 0.7)), ((-2.0, 1.0), (0.5, -1.0))])
def test_divergence_of_normals_by_quadrature(a, b):
    x = np.linspace(-40, 40, 400_001)
    log_p = [-0.5 * ((x - m) ** 2 / math.exp(v) + v + math.log(2 * math.pi)) for m, v in (a, b)]
    expected = (np.exp(log_p[0]) * (log_p[0] - log_p[1])).sum() * (x[1] - x[0])
    arguments = [torch.tensor(value).double() for value in (*a, *b)]
    assert math.isclose(normal_kl(*arguments), expected, rel_tol=1e-7, abs_tol=1e-9)


def test_terms_of_a_perfect_prediction():
    chain = training_chain("linear", 100)
    x_0 = (grid(256)[torch.randint(0, 256, (6 * 16,), generator=torch.Generator().manual_seed(0))]).reshape(6, 1, 4, 4)
    i = torch.tensor([0, 20, 50, 90, 98, 99])
    eps = torch.randn(x_0.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    x_t = noised(x_0, chain.level(i), eps)
    small = Prediction(x_0=x_0, eps=eps, variance_fraction=torch.zeros_like(x_0))
    terms = vlb_term(chain, i, x_0, x_t, small)
    assert (terms[:-1].abs() < 1e-9).all()
    decoder = discretised_log_likelihood(x_0[-1:], x_0[-1:], 0.5 * chain.log_beta_tilde[-1].expand_as(x_0[-1:]))
    assert math.isclose(terms[-1], -decoder.mean() / math.log(2), rel_tol=1e-9)


def test_a_term_is_the_divergence_of_the_means_over_the_variance():
    # With the posterior's own variance: (x_0 coefficient)^2 (error of x_0)^2 / (2 beta_tilde).
    chain = training_chain("linear", 100)
    i = torch.tensor([0, 40, 98])
    x_0, x_t = torch.zeros(2, 3, 1, 2, 2, dtype=torch.float64)
    prediction = Prediction(x_0 + 0.1, x_t, variance_fraction=torch.zeros_like(x_0))
    expected = (0.1 * chain.x_0_coefficient[i]) ** 2 / (2 * chain.beta_tilde[i]) / math.log(2)
    torch.testing.assert_close(vlb_term(chain, i, x_0, x_t, prediction), expected)


def test_levels_reach_the_decoder():
    chain = training_chain("linear", 100)
    x_0 = torch.zeros(1, 1, 2, 2, dtype=torch.float64)
    prediction = Prediction(x_0 + 0.05, x_0, variance_fraction=torch.zeros_like(x_0))
    coarse, fine = (vlb_term(chain, torch.tensor([99]), x_0, x_0, prediction, levels) for levels in (17, 256))
    assert coarse < fine


def test_per_image_means_over_all_but_the_batch():
    assert torch.equal(per_image(torch.arange(8.0).reshape(2, 1, 2, 2)), torch.tensor([1.5, 5.5]))


# -- every combination of parameterisation and variance, on normal data whose best denoiser is known

NORMAL = 0.3  # variance of the data
SHORT = training_chain("cosine", 30)


class Exact(torch.nn.Module):
    """The network that outputs what its parameterisation's target is on average, given x_t, and a variance half."""

    def __init__(self, parameterization, variance_output=None):
        super().__init__()
        self.form, self.variance_output = PARAMETERIZATIONS[parameterization], variance_output

    def forward(self, x, t, y, low_res):
        i = len(SHORT) - 1 - t.long()
        best = GaussianDenoiser(variance=NORMAL)(x, SHORT.level(i))
        output = self.form.target(SHORT, i, best.x_0, x, best.eps)
        if self.variance_output is None:
            return output
        return torch.cat([output, over(self.variance_output[i], x).expand_as(x)], dim=1)


def posterior_variance():
    """Var(x_0 | x_t) at each step."""
    alpha, sigma = SHORT.alphas[:-1], SHORT.sigmas[:-1]
    return NORMAL * sigma**2 / (alpha**2 * NORMAL + sigma**2)


def optimal_variance():
    """The reverse variance that the bound likes best: of q(x_s | x_t), x_0 integrated out."""
    return SHORT.beta_tilde + SHORT.x_0_coefficient**2 * posterior_variance()


VARIANCES = {
    # name: the network's second half, and the log variance that it means at each step
    "fixed_small": (None, SHORT.log_beta_tilde),
    "fixed_large": (None, torch.cat([SHORT.beta[:-1].log(), SHORT.log_beta_tilde[-1:]])),
    "learned_range": (torch.full((30,), -0.4).double(), 0.3 * SHORT.beta.log() + 0.7 * SHORT.log_beta_tilde),
    "learned_diagonal": (optimal_variance().log(), optimal_variance().log()),
}


def terms_of(parameterization, variance, pixels=40):
    diffusion = Diffusion(timesteps=30, schedule="cosine", parameterization=parameterization, variance=variance)
    denoiser = ModelDenoiser.of(diffusion, Exact(parameterization, VARIANCES[variance][0]))
    i = torch.arange(30)
    generator = torch.Generator().manual_seed(0)
    x_0, eps = torch.randn(2, 30, 1, pixels, pixels, dtype=torch.float64, generator=generator)
    x_0 = x_0 * math.sqrt(NORMAL)
    x_t = noised(x_0, SHORT.level(i), eps)
    return vlb_term(SHORT, i, x_0, x_t, denoiser(x_t, SHORT.level(i)))


@pytest.mark.parametrize("variance", VARIANCES)
@pytest.mark.parametrize("parameterization", PARAMETERIZATIONS)
def test_the_parameterisation_of_an_exact_denoiser_is_nothing_to_the_bound(parameterization, variance):
    torch.testing.assert_close(terms_of(parameterization, variance), terms_of("eps", variance), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("variance", VARIANCES)
def test_the_terms_of_an_exact_denoiser_by_their_closed_form(variance):
    # The error of the mean has variance c^2 Var(x_0 | x_t), c the weight of x_0 in the posterior's mean.
    log_variance, log_tilde = VARIANCES[variance][1][:-1], SHORT.log_beta_tilde[:-1]
    error = SHORT.x_0_coefficient[:-1] ** 2 * posterior_variance()[:-1]
    nats = 0.5 * (log_variance - log_tilde - 1 + (log_tilde - log_variance).exp() + error / log_variance.exp())
    found = terms_of("eps", variance, pixels=400)[:-1]
    # The mean of 160,000 squared normals is within 1.5 % at four standard errors.
    largest = (error / log_variance.exp()).max() / 2 / math.log(2)
    assert (found - nats / math.log(2)).abs().max() < 0.015 * largest


def test_the_optimal_diagonal_is_below_both_fixed_variances_at_every_step():
    best, small, large = (terms_of("mu", name, 400)[:-1] for name in ("learned_diagonal", "fixed_small", "fixed_large"))
    assert (best < small).all() and (best < large).all()
    # And its terms are half the log of the variances' ratio.
    expected = 0.5 * (optimal_variance() / SHORT.beta_tilde)[:-1].log() / math.log(2)
    torch.testing.assert_close(best, expected, rtol=0.02, atol=1e-3)


@pytest.mark.parametrize("parameterization", PARAMETERIZATIONS)
def test_fixed_small_decodes_with_beta_tilde_2(parameterization):
    diffusion = Diffusion(timesteps=30, schedule="cosine", parameterization=parameterization, variance="fixed_small")
    denoiser = ModelDenoiser.of(diffusion, Exact(parameterization))
    i = torch.tensor([29])
    x_0 = grid(17).reshape(1, 1, 1, 17)
    x_t = noised(x_0, SHORT.level(i), torch.ones_like(x_0))
    prediction = denoiser(x_t, SHORT.level(i))
    scale = torch.full_like(x_0, 0.5 * math.log(SHORT.beta_tilde[-2]))
    expected = -discretised_log_likelihood(x_0, reverse_mean(SHORT, i, x_t, prediction), scale, 17).mean() / math.log(2)
    assert expected > 0.01
    torch.testing.assert_close(vlb_term(SHORT, i, x_0, x_t, prediction, 17)[0], expected)
