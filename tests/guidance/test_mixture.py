"""Guidance on data of two normal classes, for which classifier and denoisers are known in closed form."""

import math

import pytest
import torch
from torch import nn

from diffbench.base.errors import UserError
from diffbench.diffusion.denoiser import NO_LABEL, Condition, Diffusion, OffGridError
from diffbench.diffusion.gaussians import GaussianDenoiser
from diffbench.diffusion.parameterization import Prediction
from diffbench.diffusion.process import Level, respaced_chain
from diffbench.guidance._gradient import ClassifierGradient
from diffbench.guidance.classifier import Classifier
from diffbench.guidance.classifier_free import ClassifierFree
from diffbench.samplers.ancestral import Ancestral
from diffbench.samplers.ddim import Ddim

torch.set_num_threads(1)
DIFFUSION = Diffusion(timesteps=100, schedule="cosine", rescale_timesteps=True)
MEANS, VARIANCE, WEIGHTS = torch.tensor([-0.6, 0.1, 0.7], dtype=torch.float64), 0.04, torch.tensor([0.5, 0.3, 0.2])
Y = torch.tensor([0, 1, 2, 2])
X = torch.randn(4, 1, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
LABELLED = Condition(y=Y)


class ExactClassifier(nn.Module):
    """log p(y | x_t) up to a constant: pixels of class k are normal about alpha mean_k."""

    def forward(self, x, t):
        # The classifier's own timestep: t 1000 / T, so that a wrong mapping gives a wrong level.
        i = DIFFUSION.timesteps - 1 - (t / 10).round().long()
        level = DIFFUSION.chain().level(i)
        alpha, sigma = level.alpha[:, None], level.sigma[:, None]
        distance = ((x[:, None] - alpha[..., None, None, None] * MEANS[:, None, None, None]) ** 2).sum(dim=(2, 3, 4))
        return WEIGHTS.double().log() - distance / (2 * (alpha**2 * VARIANCE + sigma**2))


def gradient():
    return ClassifierGradient.of(DIFFUSION, ExactClassifier())


def labelled(x, level, condition):
    """The exact denoiser of the class asked for; 0 learned variance, which both branches would have."""
    mean = MEANS[condition.y].reshape(-1, 1, 1, 1)
    return GaussianDenoiser(mean, VARIANCE, variance_fraction=1.0)(x, level)


def unlabelled(x, level, condition=None):
    """The exact denoiser of the mixture: the classes' own, weighted by their probability."""
    t = DIFFUSION.network_timesteps()[step_of(level)].repeat(len(x))
    weights = ExactClassifier()(x, t).softmax(dim=1)
    x_0 = sum(
        weights[:, k].reshape(-1, 1, 1, 1) * GaussianDenoiser(float(MEANS[k]), VARIANCE)(x, level).x_0 for k in range(3)
    )
    eps = (x - float(level.alpha) * x_0) / float(level.sigma)
    return Prediction(x_0=x_0, eps=eps, variance_fraction=torch.ones_like(x))


def step_of(level):
    chain = DIFFUSION.chain()
    return int((chain.alphas - level.alpha).abs().argmin())


LEVELS = [DIFFUSION.chain().level(i) for i in (0, 30, 60, 90, 99)]


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: f"{level.sigma:.3f}")
def test_the_exact_classifier_makes_the_exact_conditional_denoiser(level):
    guided = Classifier(1.0)(unlabelled, gradient(), applies_gradient=False)(X, level, LABELLED)
    wanted = labelled(X, level, LABELLED)
    torch.testing.assert_close(guided.eps, wanted.eps, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(guided.x_0, wanted.x_0, rtol=1e-7, atol=1e-7)


def test_the_ancestral_rule_moves_the_mean_by_all_but_a_share_of_what_is_exact():
    # With variance beta the gradient moves the mean by beta grad, and the exact mean is moved by beta / alpha_ts grad.
    chain, i = DIFFUSION.chain(), 60
    guided = Classifier(1.0)(unlabelled, gradient(), applies_gradient=True)
    by = {
        name: Ancestral().step(lambda x, level, d=denoiser: d(x, level, LABELLED), chain, i, X, lambda i: 0 * X).x
        for name, denoiser in (("guided", guided), ("plain", unlabelled), ("exact", labelled))
    }
    share = (by["guided"] - by["plain"]) / (by["exact"] - by["plain"])
    torch.testing.assert_close(share, chain.alpha_ts[i].expand_as(share), rtol=1e-6, atol=0)


@pytest.mark.parametrize("scale", [0.0, 0.5, 1.0, 3.0])
@pytest.mark.parametrize("level", LEVELS[1:4], ids=lambda level: f"{level.sigma:.3f}")
def test_classifier_free_guidance_is_guidance_by_the_exact_classifier(scale, level):
    def network(x, level, condition):
        return unlabelled(x, level) if (condition.y == NO_LABEL).all() else labelled(x, level, condition)

    free = ClassifierFree(scale)(network, None, applies_gradient=True)(X, level, LABELLED)
    guided = Classifier(scale)(unlabelled, gradient(), applies_gradient=False)(X, level, LABELLED)
    torch.testing.assert_close(free.eps, guided.eps, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(free.x_0, guided.x_0, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("sampler", [Ancestral(), Ddim()], ids=["ancestral", "ddim"])
def test_guided_samples_are_of_their_class(sampler):
    chain = respaced_chain("cosine", 100, "50")
    guided = Classifier(1.0)(unlabelled, gradient(), applies_gradient=sampler.applies_gradient)
    y = torch.arange(3).repeat(200)
    generator = torch.Generator().manual_seed(1)
    draws = torch.randn(51, 600, 1, 2, 2, dtype=torch.float64, generator=generator)
    *_, last = sampler(lambda x, level: guided(x, level, Condition(y=y)), chain, draws[50], lambda i: draws[i])
    for k in range(3):
        mine = last.x[y == k]
        assert math.isclose(mine.mean(), MEANS[k], abs_tol=0.04)
        assert math.isclose(mine.var(), VARIANCE, rel_tol=0.25)


# -- the gradient of a network


def test_the_gradient_is_each_images_own_and_counted():
    with torch.no_grad():
        whole = gradient()
        together = whole(X, LEVELS[2], LABELLED)
        apart = [gradient()(X[k : k + 1], LEVELS[2], Condition(y=Y[k : k + 1])) for k in range(4)]
    torch.testing.assert_close(together, torch.cat(apart))
    assert whole.rows == 4 and not together.requires_grad


def test_the_gradient_by_finite_differences():
    level, found = LEVELS[2], gradient()(X, LEVELS[2], LABELLED)
    t = DIFFUSION.network_timesteps()[60].repeat(4)

    def log_p(x):
        return ExactClassifier()(x, t).log_softmax(dim=1).gather(1, Y[:, None])[:, 0]

    step = torch.zeros_like(X)
    step[:, 0, 1, 0] = 1e-5
    torch.testing.assert_close(found[:, 0, 1, 0], (log_p(X + step) - log_p(X - step)) / 2e-5, rtol=1e-6, atol=1e-6)
    assert float(level.sigma) > 0


def test_a_level_between_those_of_the_classifier_and_missing_labels_are_refused():
    between = Level(torch.tensor(0.5, dtype=torch.float64), torch.tensor(0.75, dtype=torch.float64) ** 0.5)
    with pytest.raises(OffGridError, match="the classifier was trained at 100 noise levels"):
        gradient()(X, between, LABELLED)
    for condition in (None, Condition()):
        with pytest.raises(UserError, match="needs a label for every image"):
            gradient()(X, LEVELS[2], condition)
