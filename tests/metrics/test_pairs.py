"""Differences of Frechet distances between sets made from the same noise: how often the interval holds the truth."""

import numpy as np
import pytest

from diffbench.base.errors import UserError
from diffbench.metrics._pairs import influence_on_fid, paired_difference
from diffbench.metrics.fid import Fid


def drawn(draws, n, d, apart):
    """Two sets whose k-th members share most of their noise."""
    shared = draws.standard_normal((n, d))
    own = draws.standard_normal((2, n, d))
    return (shared + 0.2 * own[0]) * 1.1 + 0.3, (shared + 0.2 * own[1]) * (1.1 + apart) + 0.3


@pytest.mark.parametrize("apart", [0.0, 0.1])
def test_nineteen_of_twenty_intervals_hold_the_expected_difference_and_are_narrower_than_unpaired(apart):
    n, d, trials = 200, 6, 300
    draws = np.random.default_rng(5)
    reference = {"pool": draws.standard_normal((4000, d))}
    estimates, margins = [], []
    for _ in range(trials):
        a, b = ({"pool": x} for x in drawn(draws, n, d, apart))
        one, other = Fid()(a, reference), Fid()(b, reference)
        influences = [influence_on_fid(Fid(), x, reference) for x in (a, b)]
        estimates.append(paired_difference(one.value - other.value, *influences))
        margins.append(np.hypot(one.high - one.value, other.high - other.value))
    truth = np.mean([estimate.value for estimate in estimates])
    held = np.mean([estimate.low <= truth <= estimate.high for estimate in estimates])
    # 95 % of 300 to three standard errors below; wider intervals than that are allowed, useless ones are not.
    assert held >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / trials)
    widths = [(estimate.high - estimate.low) / 2 for estimate in estimates]
    spread = np.std([estimate.value for estimate in estimates])
    assert np.mean(widths) < 1.5 * 1.96 * spread
    assert np.mean(widths) < 0.7 * np.mean(margins)


def test_a_pairs_influence_is_what_the_difference_changes_by():
    """The derivative of the difference along the weight of one pair, by moments of a weighted sample."""
    draws = np.random.default_rng(0)
    a, b = drawn(draws, 40, 3, 0.2)
    reference = {"pool": draws.standard_normal((500, 3))}
    found = influence_on_fid(Fid(), {"pool": a}, reference) - influence_on_fid(Fid(), {"pool": b}, reference)

    def value(x, copies):
        # Image 7 with one more of its kind for each of `copies` repetitions of the set.
        heavy = np.concatenate([np.tile(x, (copies, 1)), x[7:8]])
        return Fid()({"pool": heavy}, reference).value - Fid()({"pool": np.tile(x, (copies, 1))}, reference).value

    copies = 400
    slope = (value(a, copies) - value(b, copies)) * (40 * copies + 1)
    # Influences are known up to a constant.
    assert slope == pytest.approx(found[7] - found.mean(), rel=2e-2)


def test_equal_sets_differ_by_nothing():
    x = np.random.default_rng(0).standard_normal((50, 4))
    reference = {"pool": np.random.default_rng(1).standard_normal((50, 4))}
    own = influence_on_fid(Fid(), {"pool": x}, reference)
    assert paired_difference(0.0, own, own).low == paired_difference(0.0, own, own).high == 0.0


def test_sets_of_unequal_size_have_no_pairs():
    with pytest.raises(UserError, match="40 and 41 images have no pairs"):
        paired_difference(0.0, np.zeros(40), np.zeros(41))
