"""Ancestral sampling's step, number by number."""

import math

import pytest
import torch

from diffbench.diffusion.denoiser import ModelDenoiser
from diffbench.diffusion.parameterization import Prediction
from diffbench.diffusion.process import Chain, training_chain
from diffbench.guidance.classifier import Classifier
from diffbench.samplers.ancestral import Ancestral

torch.set_num_threads(1)
X_0 = torch.tensor([[[[0.5, -0.25]]]], dtype=torch.float64)
X_T = torch.tensor([[[[-0.75, 1.5]]]], dtype=torch.float64)
Z = torch.tensor([[[[3.0, 1.0]]]], dtype=torch.float64)
ALPHA_BARS = (0.9, 0.7, 0.2)
CHAIN = Chain.from_alpha_bars(torch.tensor(ALPHA_BARS).double().numpy())


def step(i, noise=Z, sampler=None, **settings):
    def denoiser(x, level, condition=None):
        return Prediction(X_0, X_T, **settings)

    return (sampler or Ancestral()).step(denoiser, CHAIN, i, X_T, lambda number: noise)


def table(i):
    """alpha_bar_t, alpha_bar_s, beta and beta_tilde of step i, from Ho et al.'s formulas."""
    a = [float(alpha) ** 2 for alpha in CHAIN.alphas]
    a_t, a_s = a[i], a[i + 1]
    beta = 1 - a_t / a_s
    return a_t, a_s, beta, beta * (1 - a_s) / (1 - a_t)


@pytest.mark.parametrize("i", [0, 1])
@pytest.mark.parametrize("share", [0.0, 1.0, 0.3])
def test_a_step_is_the_posterior_mean_and_the_interpolated_variance(i, share):
    a_t, a_s, beta, beta_tilde = table(i)
    mean = (math.sqrt(a_s) * beta * X_0 + math.sqrt(a_t / a_s) * (1 - a_s) * X_T) / (1 - a_t)
    variance = math.exp(share * math.log(beta) + (1 - share) * math.log(beta_tilde))
    state = step(i, variance_fraction=torch.full_like(X_0, share))
    torch.testing.assert_close(state.x, mean + math.sqrt(variance) * Z)
    assert torch.equal(state.x_0, X_0) and state.level == CHAIN.level(i + 1)


def test_beta_and_beta_tilde_are_told_apart():
    large, small = (step(0, variance_fraction=torch.full_like(X_0, share)).x for share in (1.0, 0.0))
    _, _, beta, beta_tilde = table(0)
    torch.testing.assert_close(large - small, (math.sqrt(beta) - math.sqrt(beta_tilde)) * Z)
    assert beta > 1.3 * beta_tilde


def test_the_last_step_is_the_mean_without_noise():
    state = step(2, variance_fraction=torch.ones_like(X_0))
    torch.testing.assert_close(state.x, X_0)
    assert (float(state.level.alpha), float(state.level.sigma)) == (1.0, 0.0)


def test_a_predicted_mean_and_log_variance_are_taken_as_they_are():
    state = step(0, mean=2 * X_0, log_variance=torch.full_like(X_0, math.log(0.04)))
    torch.testing.assert_close(state.x, 2 * X_0 + 0.2 * Z)


def test_guidance_moves_the_mean_by_variance_times_gradient():
    gradient = torch.tensor([[[[10.0, -4.0]]]], dtype=torch.float64)
    settings = {"variance_fraction": torch.ones_like(X_0)}
    _, _, beta, _ = table(0)
    torch.testing.assert_close(step(0, gradient=gradient, **settings).x - step(0, **settings).x, beta * gradient)
    _, _, _, beta_tilde_2 = table(1)
    last = step(2, gradient=gradient, variance_fraction=torch.zeros_like(X_0))
    torch.testing.assert_close(last.x - X_0, beta_tilde_2 * gradient)


def test_the_noise_of_step_i_is_the_ith_draw():
    asked = []

    def noise(i):
        asked.append(i)
        return Z

    list(Ancestral()(lambda x, level: Prediction(X_0, X_T, torch.zeros_like(X_0)), CHAIN, X_T, noise))
    assert asked == [0, 1]


@pytest.mark.parametrize(("variance", "share"), [("fixed_small", 0.0), ("fixed_large", 1.0)])
def test_guidance_at_the_last_step_scales_with_the_published_variance(variance, share):
    """Fixed small's table is 0 at t = 0, fixed large's is beta_tilde_2: guided-diffusion's condition_mean."""
    chain = training_chain("linear", 100)
    network = lambda x, t, y, low_res: torch.zeros_like(x)  # noqa: E731
    model = ModelDenoiser(network, chain, torch.arange(99.0, -1, -1), "eps", variance)
    x, last = torch.full((1, 1, 2, 2), 0.3), len(chain) - 1
    guided = Classifier(scale=1.0)(model, lambda x, level, condition: torch.ones_like(x), applies_gradient=True)
    pushed = (
        Ancestral().step(guided, chain, last, x, lambda i: x).x - Ancestral().step(model, chain, last, x, lambda i: x).x
    )
    torch.testing.assert_close(pushed, torch.full_like(x, share * float(chain.beta_tilde[-2])))
