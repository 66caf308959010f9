"""What every objective must keep (the checks of `diffbench contract`), and each one's formula."""

import dataclasses
import math

import pytest
import torch

from diffbench.base.plugins import configure, load, names
from diffbench.base.seeds import Stream
from diffbench.commands.contract import objective as contract
from diffbench.commands.contract.objective import predicted
from diffbench.diffusion.likelihood import vlb_term
from diffbench.diffusion.loss_aware import LossAware
from diffbench.diffusion.parameterization import PARAMETERIZATIONS
from diffbench.objectives.hybrid import Hybrid
from diffbench.objectives.simple import Simple
from diffbench.objectives.vlb import Vlb

torch.set_num_threads(1)
OBJECTIVES = {name: load("objectives", name) for name in names("objectives")}
each = pytest.mark.parametrize("part", OBJECTIVES.values(), ids=OBJECTIVES.keys())


KEPT = [(check, name) for name, part in OBJECTIVES.items() for check in contract.checks(part())]


@each
def test_defaults_are_what_an_entry_without_options_gives(part):
    assert configure(part, {}, "x") == part()


@pytest.mark.parametrize(("check", "name"), KEPT, ids=lambda item: getattr(item, "__name__", item))
def test_keeps_the_contract(check, name):
    check(OBJECTIVES[name]())


@pytest.mark.parametrize("parameterization", PARAMETERIZATIONS)
def test_simple_is_the_squared_error_of_the_output(parameterization):
    noisy, _ = predicted(Simple(), parameterization)
    target = noisy.form.target(noisy.chain, noisy.i, noisy.x_0, noisy.x_t, noisy.eps)
    expected = ((0.3 * noisy.x_t - target) ** 2).mean(dim=(1, 2, 3))
    torch.testing.assert_close(Simple()(noisy), expected, rtol=1e-4, atol=1e-5)


def test_vlb_is_the_term_times_the_length():
    noisy, _ = predicted(Vlb())
    term = vlb_term(noisy.chain, noisy.i, noisy.x_0, noisy.x_t, noisy.prediction, 17)
    torch.testing.assert_close(Vlb()(noisy), 50 * term)


def test_hybrid_adds_the_weighted_bound():
    noisy, _ = predicted(Hybrid())
    extra = Hybrid()(noisy) - Simple()(noisy)
    term = vlb_term(noisy.chain, noisy.i, noisy.x_0, noisy.x_t, noisy.prediction, 17)
    torch.testing.assert_close(extra, 0.001 * 50 * term, rtol=1e-3, atol=1e-4)
    assert math.isclose(float((Hybrid(0.002)(noisy) - Simple()(noisy)).sum()), 2 * float(extra.sum()), rel_tol=1e-3)


@pytest.mark.parametrize("parameterization", PARAMETERIZATIONS)
def test_hybrids_bound_does_not_move_the_mean(parameterization):
    gradients = []
    for weight in (1e-9, 10.0):
        noisy, network = predicted(Hybrid(weight), parameterization)
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
        assert len(objective.probabilities(state).unique()) == 1
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
