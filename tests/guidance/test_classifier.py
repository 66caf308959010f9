"""Classifier guidance: Dhariwal and Nichol's two rules, which are not equal."""

import math

import pytest
import torch

from diffbench.base.errors import UserError
from diffbench.diffusion.denoiser import ClippedDenoiser, Condition
from diffbench.diffusion.gaussians import GaussianDenoiser
from diffbench.diffusion.process import respaced_chain
from diffbench.guidance.classifier import Classifier
from diffbench.samplers.ancestral import Ancestral
from diffbench.samplers.ddim import Ddim

torch.set_num_threads(1)
CHAIN = respaced_chain("linear", 1000, "10")
LEVEL = CHAIN.level(4)
X = torch.randn(3, 1, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
DENOISER = GaussianDenoiser(0.1, 0.3, variance_fraction=0.4)


def gradient(x, level, condition):
    return 2.0 - 0.5 * x


def test_algorithm_2_shifts_eps_and_x_0_with_it():
    plain = DENOISER(X, LEVEL)
    found = Classifier(3.0)(DENOISER, gradient, applies_gradient=False)(X, LEVEL)
    torch.testing.assert_close(found.eps, plain.eps - float(LEVEL.sigma) * 3.0 * gradient(X, LEVEL, None))
    torch.testing.assert_close(float(LEVEL.alpha) * found.x_0 + float(LEVEL.sigma) * found.eps, X)
    assert found.gradient is None and torch.equal(found.variance_fraction, plain.variance_fraction)


def test_algorithm_1_leaves_the_prediction_and_carries_the_scaled_gradient():
    plain = DENOISER(X, LEVEL)
    found = Classifier(3.0)(DENOISER, gradient, applies_gradient=True)(X, LEVEL)
    assert torch.equal(found.eps, plain.eps) and torch.equal(found.x_0, plain.x_0)
    torch.testing.assert_close(found.gradient, 3.0 * gradient(X, LEVEL, None))


def test_x_0_is_not_clipped_again():
    found = Classifier(50.0)(ClippedDenoiser(DENOISER), gradient, applies_gradient=False)(X, LEVEL)
    assert found.x_0.max() > 1


@pytest.mark.parametrize("sampler", [Ancestral(), Ddim()], ids=["ancestral", "ddim"])
def test_scale_zero_changes_nothing(sampler):
    def never(x, level, condition):
        raise AssertionError("at scale 0 the classifier is not evaluated")

    guided = Classifier(0.0)(DENOISER, never, applies_gradient=sampler.applies_gradient)
    for i in (0, 5, 9):
        a, b = (sampler.step(denoiser, CHAIN, i, X, lambda i: X).x for denoiser in (guided, DENOISER))
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


def test_the_two_rules_differ_in_one_ancestral_step():
    by_mean, by_eps = (
        Ancestral().step(Classifier(1.0)(DENOISER, gradient, applies_gradient=rule), CHAIN, 4, X, lambda i: 0 * X).x
        for rule in (True, False)
    )
    plain = Ancestral().step(DENOISER, CHAIN, 4, X, lambda i: 0 * X).x
    push = gradient(X, LEVEL, None)
    log_variance = 0.4 * math.log(CHAIN.beta[4]) + 0.6 * float(CHAIN.log_beta_tilde[4])
    torch.testing.assert_close(by_mean - plain, math.exp(log_variance) * push)
    # eps - sigma g moves x_0 by sigma^2 / alpha g, and the mean by the x_0 coefficient of that.
    shift = float(CHAIN.x_0_coefficient[4] * LEVEL.sigma**2 / LEVEL.alpha)
    torch.testing.assert_close(by_eps - plain, shift * push)
    assert not math.isclose(shift, math.exp(log_variance), rel_tol=0.01)


def test_the_exact_gradient_samples_the_exact_posterior():
    # Normal data and a normal "label": guidance by the true gradient is sampling from a shifted normal.
    mean, variance, noise = 0.0, 0.25, 0.5

    def label_gradient(x, level, condition):
        # y = x_0 + noise was seen to be 1; p(y | x_t) is normal about E[x_0 | x_t].
        alpha, sigma = float(level.alpha), float(level.sigma)
        gain = alpha * variance / (alpha**2 * variance + sigma**2)
        left = variance - gain * alpha * variance
        return gain * (1.0 - mean - gain * (x - alpha * mean)) / (left + noise)

    chain = respaced_chain("cosine", 1000, "500")
    guided = Classifier(1.0)(GaussianDenoiser(mean, variance), label_gradient, applies_gradient=False)
    *_, last = Ddim()(guided, chain, torch.zeros(1, 1, 1, 1, dtype=torch.float64), lambda i: None)
    # From x_T = 0, the median, the flow ends at the posterior's median.
    assert math.isclose(last.x, variance / (variance + noise), rel_tol=0.02)


def test_the_condition_reaches_denoiser_and_classifier():
    seen, condition = [], Condition(y=torch.arange(3))

    def denoiser(x, level, given=None):
        seen.append(given)
        return DENOISER(x, level, given)

    def labelled(x, level, given):
        seen.append(given)
        return gradient(x, level, given)

    Classifier()(denoiser, labelled, applies_gradient=True)(X, LEVEL, condition)
    assert seen == [condition, condition]


def test_mistakes_are_one_line():
    with pytest.raises(UserError, match="guidance needs a classifier"):
        Classifier()(DENOISER, None, applies_gradient=False)
    with pytest.raises(ValueError, match="scale must not be negative"):
        Classifier(-1.0)
