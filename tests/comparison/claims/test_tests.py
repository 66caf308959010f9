"""The shared tests of claims: what is decided on pairs and sweeps whose answer is known, and what is not."""

import math

import numpy as np
import pytest

from diffbench.base.records import Estimate
from diffbench.comparison.claims._contract import FAILS, HOLDS, NOT_RESOLVED, NOT_TESTABLE, judged
from diffbench.comparison.claims._contrasts import difference, ratio
from diffbench.comparison.claims._tests import below, best_inside, monotone, not_contrary, ratio_between

SIMPLE_OR_VLB = {"objective.name": ("vlb", "simple")}


def fids(*values, width=1.0):
    return [{"fid": (value, value - width, value + width)} for value in values]


def pair(made_records, a, b):
    made_records.model("bound", range(len(a)), objective={"name": "vlb"})
    made_records.model("plain", range(len(b)))
    made_records.samples("bound", a)
    made_records.samples("plain", b)
    return next(made_records.evidence().pairs("fid", SIMPLE_OR_VLB))


@pytest.mark.parametrize(
    ("bounds", "outcome"),
    [((-math.inf, 4), HOLDS), ((-math.inf, 3), NOT_RESOLVED), ((-math.inf, 1), FAILS), ((2.5, 9), NOT_RESOLVED),
     ((1, 9), NOT_RESOLVED), ((0, 9), HOLDS), ((3, 9), FAILS), ((4, 9), FAILS)],
)  # fmt: skip
def test_an_effect_is_judged_by_its_whole_interval(bounds, outcome):
    finding = judged(Estimate(2, 1, 3), bounds, test="t", on="o", method="m")
    assert finding.outcome == outcome and finding.bounds == bounds


def test_an_effect_that_is_no_number_is_not_testable_and_says_so():
    finding = judged(Estimate(math.nan, 1, 3), (0, 1), test="t", on="o", method="m")
    assert finding.outcome == NOT_TESTABLE and "nan" in finding.reason


@pytest.mark.parametrize(
    ("a", "b", "outcome"),
    [((1, 2, 3), (11, 12.1, 13), HOLDS), ((11, 12.1, 13), (1, 2, 3), FAILS), ((1, 9, 5), (6, 2, 8), NOT_RESOLVED)],
)
def test_three_training_seeds_decide_by_their_spread_not_by_the_scores_own_intervals(made_records, a, b, outcome):
    # The own intervals are far wider than the differences, so they would resolve nothing.
    finding = below(*pair(made_records, fids(*a, width=50), fids(*b, width=50)), test="t")
    assert finding is not None and finding.outcome == outcome
    assert finding.method == "Student's over 3 training seeds" and finding.on == "bound against plain/ancestral/25"
    assert finding.effect is not None and finding.effect.covers == "training and sampling"


def test_the_interval_of_a_difference_is_students_of_the_seeds_differences(made_records):
    a, b = pair(made_records, fids(1, 2, 3), fids(11, 12.1, 13.4))
    found = difference(a, b)
    assert found is not None
    each = np.array([1, 2, 3]) - np.array([11, 12.1, 13.4])
    half = 4.302652729911275 * each.std(ddof=1) / math.sqrt(3)  # Student's quantile with 2 degrees of freedom
    assert (found.effect.value, found.effect.low, found.effect.high) == pytest.approx(
        (each.mean(), each.mean() - half, each.mean() + half)
    )
    # Three intervals at once, by Bonferroni. With 2 degrees of freedom Student's quantile has a closed form.
    wider, inside = difference(a, b, tests=3), 1 - 0.05 / 3
    assert wider is not None
    quantile = inside * math.sqrt(2 / (1 - inside**2))
    assert (wider.effect.high - each.mean()) / half == pytest.approx(quantile / 4.302652729911275)


def test_a_ratio_is_of_geometric_means(made_records):
    a, b = pair(made_records, fids(2, 4, 8.0), fids(1, 2.1, 3.9))
    found = ratio(a, b)
    logs = np.log([2, 4 / 2.1, 8 / 3.9])
    half = 4.302652729911275 * logs.std(ddof=1) / math.sqrt(3)
    assert found is not None and found.effect.value == pytest.approx(np.exp(logs.mean()))
    assert found.effect.high == pytest.approx(np.exp(logs.mean() + half)) and "logarithms" in found.method
    finding = ratio_between(a, b, 1.5, math.inf, test="t")
    assert finding is not None and finding.outcome == HOLDS
    finding = ratio_between(a, b, 0.9, 1.1, test="t")
    assert finding is not None and finding.outcome == FAILS


def test_one_seed_joins_the_own_intervals_if_no_features_are_there(made_records):
    a, b = pair(made_records, fids(10, width=3), fids(20, width=4))
    found = difference(a, b)
    assert found is not None and found.method == "the scores' own intervals"
    assert (found.effect.value, found.effect.low, found.effect.high) == pytest.approx((-10, -15, -5))
    ratios = ratio(a, b)
    assert ratios is not None and ratios.effect.low == pytest.approx(math.exp(math.log(0.5) - math.hypot(0.3, 0.2)))


def test_only_common_seeds_count_and_without_any_there_is_no_pair(made_records):
    a, b = pair(made_records, fids(1, 2, 3, 99), fids(11, 12.1, 13))
    found = difference(a, b)
    assert found is not None and found.effect.value == pytest.approx((-10 - 10.1 - 10) / 3)


@pytest.mark.parametrize(("value", "word"), [(math.nan, "not a number"), (math.inf, "not a number")])
def test_a_score_that_is_no_number_is_not_testable(made_records, value, word):
    finding = below(*pair(made_records, fids(1, value, 3), fids(11, 12.1, 13)), test="t")
    assert finding is not None and finding.outcome == NOT_TESTABLE and word in finding.reason


def test_a_ratio_needs_positive_scores(made_records):
    sides = pair(made_records, fids(1, -0.1, 3), fids(11, 12.1, 13))
    finding = ratio_between(*sides, 0, 1, test="t")
    assert finding is not None and finding.outcome == NOT_TESTABLE and "positive" in finding.reason
    assert (finding := below(*sides, test="t")) is not None and finding.outcome == HOLDS


def swept(made_records, scores):
    """Return the sides of sets at scales 0, 1, 2, ... Each has one FID for every training seed."""
    made_records.model("guided", range(len(scores[0])))
    for scale, values in enumerate(scores):
        made_records.samples("guided", fids(*values), scale=float(scale))
    return next(made_records.evidence().sweeps("fid", "guidance.scale", 2))


RISING = ((1, 2, 3), (11, 12.1, 13), (21, 22.4, 23), (31, 32, 33.2))
HALTING = ((1, 2, 3), (11, 12.1, 13), (10, 12.2, 14), (31, 32, 33.2))
TURNING = ((1, 2, 3), (31, 32, 33.2), (11, 12.1, 13), (41, 42, 43.1))


@pytest.mark.parametrize(
    ("scores", "strict", "weak"),
    [(RISING, HOLDS, HOLDS), (HALTING, NOT_RESOLVED, HOLDS), (TURNING, FAILS, FAILS), (RISING[::-1], FAILS, FAILS)],
)
def test_a_rise_needs_every_step_or_no_contrary_one(made_records, scores, strict, weak):
    sides = swept(made_records, scores)
    one, other = (of(sides, rising=True, test="t") for of in (monotone, not_contrary))
    assert one is not None and other is not None
    assert (one.outcome, other.outcome) == (strict, weak)
    if scores is TURNING:
        assert one.on.endswith("from 1 to 2")
    falls = monotone(sides, rising=False, test="t")
    assert falls is not None and falls.outcome == (HOLDS if scores == RISING[::-1] else FAILS)


@pytest.mark.parametrize(
    ("scores", "outcome"),
    [
        (((9, 9.2, 9.3), (1, 1.1, 1.3), (5, 5.2, 5.1)), HOLDS),
        (((1, 1.1, 1.3), (5, 5.2, 5.1), (9, 9.2, 9.3)), FAILS),
        (((9, 9.2, 9.3), (5, 5.2, 5.1), (1, 1.1, 1.3)), FAILS),
        (((5, 9, 7), (4, 8, 6.5), (9, 5, 7)), NOT_RESOLVED),
        # The left end is below one inner value and not resolved against the other.
        (((1, 3, 2), (2.5, 0.9, 2.1), (9, 9.5, 9.1), (20, 21, 20.5)), NOT_RESOLVED),
    ],
)
def test_the_best_is_inside_if_an_inner_value_beats_both_ends(made_records, scores, outcome):
    finding = best_inside(swept(made_records, scores), test="t")
    assert finding is not None and finding.outcome == outcome


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_sweep_with_a_score_that_is_no_number_is_not_testable(made_records, place):
    # Without the number that is missing, each of the three tests would hold on one of these sweeps.
    rising, dipped = [[1, 2, 3], [4, 5, 6], [7, 8, 9.5]], [[9, 9.1, 9.2], [1, 1.1, 1.2], [9, 9.1, 9.3]]
    for scores in (rising, dipped):
        scores[place][1] = math.nan
    up, inside = (swept(made_records, scores) for scores in (rising, dipped))
    tests = (
        monotone(up, rising=True, test="t"),
        not_contrary(up, rising=True, test="t"),
        best_inside(inside, test="t"),
    )
    for finding in tests:
        assert finding is not None and finding.outcome == NOT_TESTABLE
