"""What every objective must keep, and each one's formula."""

import dataclasses
import math

import pytest
import torch

from diffbench.base.plugins import configure, load, names
from diffbench.base.seeds import Stream
from diffbench.diffusion.batch import Objective, PredictedBatch
from diffbench.diffusion.denoiser import Diffusion, ModelDenoiser
from diffbench.diffusion.likelihood import vlb_term
from diffbench.diffusion.loss_aware import LossAware
from diffbench.diffusion.parameterization import PARAMETERIZATIONS
from diffbench.diffusion.process import noised
from diffbench.objectives.hybrid import Hybrid
from diffbench.objectives.simple import Simple
from diffbench.objectives.vlb import Vlb

torch.set_num_threads(1)
OBJECTIVES = {name: load("objectives", name) for name in names("objectives")}
each = pytest.mark.parametrize("part", OBJECTIVES.values(), ids=OBJECTIVES.keys())


class Affine(torch.nn.Module):
    def __init__(self, learned):
        super().__init__()
        self.mean = torch.nn.Parameter(torch.tensor(0.3))
        self.variance = torch.nn.Parameter(torch.tensor(0.1)) if learned else None

    def forward(self, x, t, y, low_res):
        return self.mean * x if self.variance is None else torch.cat([self.mean * x, self.variance * x], dim=1)


def batch(objective, parameterization="eps"):
    learned = objective.needs_variance is True
    variance = "learned_range" if learned else "fixed_large"
    diffusion = Diffusion(timesteps=50, parameterization=parameterization, variance=variance)
    network = Affine(learned)
    chain = diffusion.chain()
    generator = torch.Generator().manual_seed(0)
    x_0 = torch.randint(0, 17, (6, 1, 3, 3), generator=generator) / 8 - 1
    eps = torch.randn(x_0.shape, generator=generator)
    i = torch.tensor([0, 10, 25, 40, 48, 49])
    x_t = noised(x_0, chain.level(i), eps)
    prediction = ModelDenoiser.of(diffusion, network)(x_t, chain.level(i))
    form = PARAMETERIZATIONS[parameterization]
    return PredictedBatch(chain, i, x_0, x_t, eps, prediction=prediction, form=form, levels=17), network


@each
def test_is_a_frozen_dataclass_with_defaults(part):
    assert part.__dataclass_params__.frozen and issubclass(part, Objective)
    assert configure(part, {}, "x") == part() and part.needs_variance in (True, False, None)


@each
@pytest.mark.parametrize("parameterization", PARAMETERIZATIONS)
def test_a_finite_loss_per_image_that_trains_every_parameter(part, parameterization):
    noisy, network = batch(part(), parameterization)
    loss = part()(noisy)
    assert loss.shape == (6,) and torch.isfinite(loss).all()
    loss.mean().backward()
    for parameter in network.parameters():
        assert torch.isfinite(parameter.grad) and parameter.grad != 0


@each
def test_steps_are_uniform_and_functions_of_the_draw(part):
    stream, index = Stream(0, "train"), torch.arange(20_000)
    objective = part()
    state = objective.start(10)
    i, weight = objective.steps(stream, index, 3, 10, state)
    assert torch.equal(i, objective.steps(Stream(0, "train"), index, 3, 10, state)[0])
    assert not torch.equal(i, objective.steps(stream, index, 4, 10, state)[0])
    assert torch.equal(weight, torch.ones(20_000, dtype=torch.float64))
    counts = torch.bincount(i, minlength=10).double()
    assert len(counts) == 10 and ((counts - 2000) ** 2 / 2000).sum() < 33.8  # chi2(9) at 1e-4


@pytest.mark.parametrize("parameterization", PARAMETERIZATIONS)
def test_simple_is_the_squared_error_of_the_output(parameterization):
    noisy, _ = batch(Simple(), parameterization)
    target = noisy.form.target(noisy.chain, noisy.i, noisy.x_0, noisy.x_t, noisy.eps)
    expected = ((0.3 * noisy.x_t - target) ** 2).mean(dim=(1, 2, 3))
    torch.testing.assert_close(Simple()(noisy), expected, rtol=1e-4, atol=1e-5)


def test_vlb_is_the_term_times_the_length():
    noisy, _ = batch(Vlb())
    term = vlb_term(noisy.chain, noisy.i, noisy.x_0, noisy.x_t, noisy.prediction, 17)
    torch.testing.assert_close(Vlb()(noisy), 50 * term)


def test_hybrid_adds_the_weighted_bound():
    noisy, _ = batch(Hybrid())
    extra = Hybrid()(noisy) - Simple()(noisy)
    term = vlb_term(noisy.chain, noisy.i, noisy.x_0, noisy.x_t, noisy.prediction, 17)
    torch.testing.assert_close(extra, 0.001 * 50 * term, rtol=1e-3, atol=1e-4)
    assert math.isclose(float((Hybrid(0.002)(noisy) - Simple()(noisy)).sum()), 2 * float(extra.sum()), rel_tol=1e-3)


@pytest.mark.parametrize("parameterization", PARAMETERIZATIONS)
def test_hybrids_bound_does_not_move_the_mean(parameterization):
    gradients = []
    for weight in (1e-9, 10.0):
        noisy, network = batch(Hybrid(weight), parameterization)
        Hybrid(weight)(noisy).sum().backward()
        gradients.append((network.mean.grad, network.variance.grad))
    torch.testing.assert_close(gradients[0][0], gradients[1][0])
    assert abs(gradients[1][1]) > 1e6 * abs(gradients[0][1])


@pytest.mark.parametrize("part", [Vlb, Hybrid])
def test_loss_aware_steps_are_a_setting_of_the_objective(part):
    objective = configure(part, {"loss_aware": {"history": 2}}, "x")
    assert objective.loss_aware == LossAware(history=2)
    assert configure(part, dataclasses.asdict(objective), "x") == objective
    state = objective.start(3)
    for losses in ([1.0, 2.0, 5.0], [1.0, 2.0, 5.0]):
        assert objective.probabilities(state) is None
        objective.update(state, torch.arange(3), torch.tensor(losses))
    _, weight = objective.steps(Stream(0, "train"), torch.arange(50), 0, 3, state)
    probabilities = objective.probabilities(state)
    torch.testing.assert_close(
        probabilities[1:] / probabilities[0], torch.tensor([2.0, 5.0]).double(), rtol=0.01, atol=0
    )
    assert set(weight.tolist()) <= set((1 / (3 * probabilities)).tolist())


def test_a_weight_without_effect_is_refused():
    with pytest.raises(ValueError, match="vlb_weight must be positive"):
        Hybrid(0.0)
