"""Importance sampling of timesteps: unbiased, of less variance, uniform until it knows enough, a function of its state."""

import math

import pytest
import torch

from diffbench.base.seeds import Stream
from diffbench.diffusion.loss_aware import LossAware, drawn_steps

torch.set_num_threads(1)
T = 100
PROFILE = 1 / (1 + torch.arange(T, dtype=torch.float64)).flip(0)  # most of the bound in the few cleanest steps


def warm(losses=PROFILE, rule=LossAware()):  # noqa: B008  (frozen)
    state = rule.start(len(losses))
    for _ in range(rule.history):
        rule.update(state, torch.arange(len(losses)), losses)
    return state


def test_probabilities_are_roots_of_mean_squares_and_a_uniform_share():
    rule = LossAware(history=2, uniform_share=0.01)
    state = rule.start(2)
    rule.update(state, torch.tensor([0, 1, 0, 1]), torch.tensor([3.0, 0.0, 4.0, 0.0]))
    assert rule.probabilities(state).tolist() == pytest.approx([0.99 + 0.005, 0.005])
    rule.update(state, torch.tensor([1, 1]), torch.tensor([3.0, 4.0]))
    assert rule.probabilities(state).tolist() == pytest.approx([0.5, 0.5])


def test_the_defaults_are_the_published_ones():
    assert LossAware() == LossAware(history=10, uniform_share=0.001)


def test_uniform_until_every_step_has_its_history():
    rule = LossAware(history=3)
    state = rule.start(4)
    for losses in 3 * [torch.arange(1.0, 5.0)]:
        assert rule.probabilities(state).unique().tolist() == [0.25]
        rule.update(state, torch.tensor([0, 1, 2, 2]), losses)
    for _ in range(3):
        assert rule.probabilities(state).unique().tolist() == [0.25]
        rule.update(state, torch.tensor([3]), torch.ones(1))
    assert len(rule.probabilities(state).unique()) > 1


def test_even_probabilities_draw_what_none_draw():
    index, even = torch.arange(1000), torch.full((T,), 1 / T, dtype=torch.float64)
    drawn = [drawn_steps(Stream(0, "train"), index, 5, T, given) for given in (None, even)]
    assert all(torch.equal(one, other) for one, other in zip(*drawn, strict=True))


def test_a_batch_updates_the_state_like_its_losses_one_by_one():
    rule, i = LossAware(history=3), torch.tensor([2, 0, 2, 2, 1, 2, 2, 0])
    losses = torch.arange(8.0) + 0.25
    whole, single = rule.start(4), rule.start(4)
    for _ in range(3):
        rule.update(whole, i, losses)
        for step, loss in zip(i.tolist(), losses.tolist(), strict=True):
            single["losses"][step, single["seen"][step] % 3] = loss
            single["seen"][step] += 1
        losses = losses + 8
    assert all(torch.equal(whole[name], single[name]) for name in single)


def test_the_oldest_loss_is_forgotten_also_within_one_batch():
    rule = LossAware(history=2)
    state = rule.start(1)
    for losses in ([9.0, 9.0, 1.0], [2.0]):
        rule.update(state, torch.zeros(len(losses), dtype=torch.int64), torch.tensor(losses))
    assert sorted(state["losses"][0].tolist()) == [1.0, 2.0]


def test_losses_that_are_all_zero_are_drawn_uniformly():
    assert len(LossAware().probabilities(warm(torch.zeros(5))).unique()) == 1


def test_steps_are_drawn_with_their_probabilities():
    probabilities = LossAware().probabilities(warm())
    assert math.isclose(probabilities.sum(), 1, rel_tol=1e-12)
    index = torch.arange(200_000)
    i, weight = drawn_steps(Stream(0, "train"), index, 5, T, probabilities)
    expected = 200_000 * probabilities
    counts = torch.bincount(i, minlength=T)
    assert ((counts - expected) ** 2 / expected).sum() < 161.3  # chi2(99) at 1e-4 is 161.4
    assert torch.equal(weight, 1 / (T * probabilities[i]))
    again, _ = drawn_steps(Stream(0, "train"), index[777:778], 5, T, probabilities)
    assert again == i[777]


def test_a_step_of_no_probability_is_never_drawn():
    probabilities = torch.tensor([0.0, 0.5, 0.0, 0.5, 0.0], dtype=torch.float64)
    i, _ = drawn_steps(Stream(1, "train"), torch.arange(1000), 0, 5, probabilities)
    assert set(i.tolist()) == {1, 3}


@pytest.mark.parametrize("spread", [0.0, 0.5])
def test_the_weighted_mean_is_unbiased_and_varies_at_most_half_as_much(spread):
    """IDDPM-8: the loss's estimates over batches, uniform against loss-aware, with losses that vary within a step too."""
    batches, size = 4000, 32
    index = torch.arange(batches * size)
    noise = (1 + spread * Stream(3, "bound").normal(index, 0, (1,))[:, 0]).double().reshape(batches, size)
    rule = LossAware()
    means = {}
    for name, probabilities in (("uniform", None), ("loss_aware", rule.probabilities(warm(PROFILE, rule)))):
        i, weight = drawn_steps(Stream(0, "train"), index, 1, T, probabilities)
        means[name] = (weight * PROFILE[i]).reshape(batches, size).mul(noise).mean(dim=1)
    for found in means.values():
        error = found.std() / math.sqrt(batches)
        assert error < 0.05 * PROFILE.mean() and abs(found.mean() - PROFILE.mean()) < 4 * error
    assert means["loss_aware"].var() < 0.5 * means["uniform"].var()


def test_without_weights_the_mean_would_be_wrong():
    i, weight = drawn_steps(Stream(0, "train"), torch.arange(100_000), 1, T, LossAware().probabilities(warm()))
    assert PROFILE[i].mean() > 3 * PROFILE.mean()
    assert math.isclose((weight * PROFILE[i]).mean(), PROFILE.mean(), rel_tol=0.01)


@pytest.mark.parametrize("setting", [{"history": 0}, {"uniform_share": 0.0}, {"uniform_share": 1.5}])
def test_settings_that_mean_nothing_are_refused(setting):
    with pytest.raises(ValueError, match=next(iter(setting))):
        LossAware(**setting)
