"""Classifier-free guidance: what is mixed, what is not, and how often the network is asked."""

import pytest
import torch

from diffbench.base.errors import UserError
from diffbench.diffusion.denoiser import NO_LABEL, ClippedDenoiser, Condition
from diffbench.diffusion.parameterization import Prediction
from diffbench.diffusion.process import respaced_chain
from diffbench.guidance.classifier_free import ClassifierFree

LEVEL = respaced_chain("linear", 1000, "10").level(4)
X = torch.randn(3, 1, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
CONDITION = Condition(y=torch.tensor([2, 0, 1]), low_res=torch.ones(3, 1, 1, 1))


class Network:
    """A denoiser whose answer says what it was asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, x, level, condition):
        self.asked.append(condition)
        x_0 = 0.1 * condition.y.reshape(-1, 1, 1, 1).to(x) + 0.2 * x
        eps = (x - float(level.alpha) * x_0) / float(level.sigma)
        return Prediction(x_0=x_0, eps=eps, variance_fraction=x_0, mean=3 * x_0)


def guided(scale, network=None):
    return ClassifierFree(scale)(network or Network(), None, applies_gradient=True)(X, LEVEL, CONDITION)


def branches():
    without = Condition(y=torch.full((3,), NO_LABEL), low_res=CONDITION.low_res)
    return Network()(X, LEVEL, without), Network()(X, LEVEL, CONDITION)


@pytest.mark.parametrize("scale", [0.5, 2.0, 7.5])
def test_eps_is_the_published_mixture_and_the_variance_the_conditional_branchs(scale):
    without, labelled = branches()
    found, w = guided(scale), scale - 1
    torch.testing.assert_close(found.eps, (1 + w) * labelled.eps - w * without.eps)
    torch.testing.assert_close(found.mean, (1 + w) * labelled.mean - w * without.mean)
    torch.testing.assert_close(float(LEVEL.alpha) * found.x_0 + float(LEVEL.sigma) * found.eps, X)
    assert torch.equal(found.variance_fraction, labelled.variance_fraction) and found.gradient is None


@pytest.mark.parametrize(("scale", "branch"), [(0.0, 0), (1.0, 1)])
def test_the_branches_themselves_take_one_evaluation(scale, branch):
    network = Network()
    assert torch.equal(guided(scale, network).eps, branches()[branch].eps)
    assert len(network.asked) == 1
    guided(2.0, network)
    assert len(network.asked) == 3


def test_the_rest_of_the_condition_reaches_both_branches():
    network = Network()
    guided(2.0, network)
    assert all(torch.equal(asked.low_res, CONDITION.low_res) for asked in network.asked)
    assert sorted(asked.y.tolist() for asked in network.asked) == [[NO_LABEL] * 3, [2, 0, 1]]


def test_mixing_comes_before_clipping():
    free = ClassifierFree(20.0)
    assert free.before_clipping and guided(20.0).x_0.abs().max() > 1
    clipped = ClippedDenoiser(free(Network(), None, applies_gradient=False))(X, LEVEL, CONDITION)
    assert clipped.x_0.abs().max() <= 1


def test_mistakes_are_one_line():
    with pytest.raises(ValueError, match="scale must not be negative"):
        ClassifierFree(-0.1)
    with pytest.raises(UserError, match="takes no classifier"):
        ClassifierFree()(Network(), lambda x, level, condition: x, applies_gradient=True)
    with pytest.raises(UserError, match="needs a label for every image"):
        ClassifierFree(0.0)(Network(), None, applies_gradient=True)(X, LEVEL, None)
