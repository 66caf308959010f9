"""When a training reaches a loss, by hand and in simulated trainings with a known answer."""

import numpy as np
import pytest

from diffbench.comparison.time_to_quality import (
    Reach,
    Training,
    difference,
    last_until,
    needs_less,
    reach,
    reached_by_all,
    why_incomparable,
)
from diffbench.diffusion.validation_loss import ValidationLosses


def training(means, *, images=4, spread=0.1, name="a", held_out="h", batch=10, alphas=(0.9, 0.5), seed=None):
    """Return a training whose losses have these means; half of the images are `spread` above and half below."""
    noise = spread * np.where(np.arange(images) % 2, 1, -1) if seed is None else _noise(images, spread, seed)
    values = np.array(means)[:, None, None] + noise[None, :, None] + np.zeros((1, 1, len(alphas)))
    step = np.arange(1, len(means) + 1) * 100
    levels = np.array(alphas), np.sqrt(1 - np.array(alphas) ** 2)
    made = ValidationLosses(step, step * batch, step * 1e6, np.arange(len(alphas)), *levels, values)
    return Training(name, made, held_out)


def _noise(images, spread, seed):
    return np.random.default_rng(seed).normal(0, spread, images)


def test_a_loss_counts_as_reached_when_its_whole_interval_is_below():
    # The standard error is 0.1 sqrt(4/3) / 2 = 0.0577, and the interval +- 0.1132.
    falling = training([1.0, 0.6, 0.5, 0.39, 0.38])
    assert falling.estimates[0].high == pytest.approx(1.0 + 0.11316, abs=1e-5)
    assert reach(falling, 0.5) == Reach(earliest=1, surely=4)
    assert reach(falling, 2) == Reach(0, 0)
    assert reach(falling, 0.28) == Reach(3, None) and reach(falling, 0.1) == Reach(None, None)
    better = training([0.3, 0.2])
    assert reached_by_all({"a": falling, "b": better}) == falling.estimates[4].high
    assert reach(falling, reached_by_all({"a": falling, "b": better})).surely == 4


def test_a_cost_is_lower_if_the_intervals_of_both_do_not_meet():
    cost = [10, 20, 30, 40]
    assert needs_less(Reach(0, 1), Reach(2, 3), cost, cost) is True
    assert needs_less(Reach(2, 3), Reach(0, 1), cost, cost) is False
    assert needs_less(Reach(0, 2), Reach(2, 3), cost, cost) is None
    assert needs_less(Reach(0, 2), Reach(2, 3), [1, 2, 3, 4], cost) is True
    # One that never came near needs more than it had; one that may have reached it may have needed less.
    assert needs_less(Reach(2, 3), Reach(None, None), cost, cost) is True
    assert needs_less(Reach(2, 3), Reach(2, None), cost, cost) is None
    assert needs_less(Reach(2, 3), Reach(None, None), cost, cost[:3]) is None
    assert needs_less(Reach(1, None), Reach(None, None), cost, cost) is None


def test_differences_are_paired_by_image():
    a, b = training([1.0, 0.5], spread=0.3), training([1.0, 0.7], spread=0.3)
    found = difference(b, a, 1, 1)
    assert (found.value, found.high - found.low) == pytest.approx((0.2, 0), abs=1e-12)
    assert last_until(a, 1999) == 0 and last_until(a, 2000) == 1 and last_until(a, 999) is None


def test_only_equal_images_and_noise_levels_compare():
    a = training([1.0])
    assert why_incomparable(a, training([2.0], name="b")) is None
    assert why_incomparable(a, training([1.0], held_out="x")) == "they were measured on other held-out images"
    assert why_incomparable(a, training([1.0], images=6)) == "they were measured on other held-out images"
    for other in ((0.9, 0.4), (0.9, 0.5, 0.1)):
        assert "noise levels differ" in (why_incomparable(a, training([1.0], alphas=other)) or "")


@pytest.mark.slow
def test_coverage(capsys):
    """How often the true crossing of a falling loss is within [earliest, surely], over draws of held-out images."""
    means = 0.2 + 0.8 * np.exp(-np.arange(40) / 8)
    crossing = int(np.argmax(means <= 0.4))
    for images in (50, 500):
        found = [reach(training(means, images=images, spread=0.3, seed=seed), 0.4) for seed in range(2000)]
        within = [
            one.earliest is not None and one.earliest <= crossing and (one.surely is None or crossing <= one.surely)
            for one in found
        ]
        early = np.mean([one.surely is not None and one.surely < crossing for one in found])
        with capsys.disabled():
            print(f"{images} images: {np.mean(within):.3f} within, {early:.3f} said to be reached too early")
        assert np.mean(within) > 0.93 and early < 0.04
