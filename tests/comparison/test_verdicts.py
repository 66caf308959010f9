"""Verdicts by hand, the three outcomes, what the interval covers, and its share of right answers."""

import numpy as np
import pytest

from diffbench.base.errors import UserError
from diffbench.base.records import Estimate
from diffbench.comparison.verdicts import over_seeds, paired


def scores(*values, half_width=0.5, train=None, sample=None):
    """Records of one row: by default one training seed a value."""
    train = range(len(values)) if train is None else train
    sample = [0] * len(values) if sample is None else sample
    return [
        {
            "value": v,
            "low": v - half_width,
            "high": v + half_width,
            "covers": "sampling",
            "train_seed": t,
            "sample_seed": s,
        }
        for v, t, s in zip(values, train, sample, strict=True)
    ]


def test_three_training_seeds_take_students_interval_over_paired_differences():
    # Differences -1, -2, -3: mean -2, standard error 1 / sqrt(3), Student's quantile at 2 degrees 4.302653.
    verdict = paired(scores(4, 5, 6), scores(5, 7, 9), higher_is_better=False)
    margin = 4.302653 / np.sqrt(3)
    assert verdict.difference.value == pytest.approx(-2)
    assert (verdict.difference.low, verdict.difference.high) == pytest.approx((-2 - margin, -2 + margin), rel=1e-6)
    assert verdict.outcome == "not resolved"
    assert verdict.difference.covers == "training and sampling" and "3 training seeds" in verdict.method
    assert verdict.a.value == pytest.approx(5) and verdict.b.value == pytest.approx(7)
    assert verdict.a.high - 5 == pytest.approx(margin, rel=1e-6)


@pytest.mark.parametrize(("a", "b", "higher", "outcome"), [
    ((4, 5, 6), (5, 6, 7.1), False, "better"),
    ((4, 5, 6), (5, 6, 7.1), True, "worse"),
    ((5, 6, 7.1), (4, 5, 6), True, "better"),
    ((5, 6, 7), (5.1, 5.9, 7), True, "not resolved"),
])  # fmt: skip
def test_three_outcomes_and_pairing_resolves_what_the_spread_of_seeds_would_hide(a, b, higher, outcome):
    assert paired(scores(*a), scores(*b), higher_is_better=higher).outcome == outcome


def test_one_training_seed_is_for_these_weights_by_joined_intervals():
    verdict = paired(scores(4, half_width=0.3), scores(5, half_width=0.4), higher_is_better=False)
    assert verdict.outcome == "better"
    assert (verdict.difference.low, verdict.difference.high) == pytest.approx((-1.5, -0.5))
    assert verdict.difference.covers == "sampling, for these weights"
    close = paired(scores(4.6, half_width=0.3), scores(5, half_width=0.4), higher_is_better=False)
    assert close.outcome == "not resolved"


def test_asymmetric_intervals_join_the_sides_that_face_each_other():
    a = [{**scores(0.9)[0], "low": 0.8, "high": 0.93}]
    b = [{**scores(0.5)[0], "low": 0.46, "high": 0.7}]
    difference = paired(a, b, higher_is_better=True).difference
    assert difference.low == pytest.approx(0.4 - np.hypot(0.1, 0.2))
    assert difference.high == pytest.approx(0.4 + np.hypot(0.03, 0.04))


def test_sampling_seeds_alone_never_cover_training():
    seeds = {"train": [0, 0, 0], "sample": [0, 1, 2]}
    verdict = paired(scores(4, 5, 6, **seeds), scores(5, 6, 7.1, **seeds), higher_is_better=False)
    assert verdict.outcome == "better" and verdict.difference.covers == "sampling, for these weights"
    assert "3 sampling seeds" in verdict.method


def test_several_sample_sets_of_a_training_count_once():
    both = {"train": [0, 0, 1, 1, 2, 2], "sample": [0, 1, 0, 1, 0, 1]}
    many = over_seeds(scores(1, 3, 2, 4, 3, 5, **both))
    assert many == over_seeds(scores(2, 3, 4))


def test_two_seeds_average_the_scores_own_intervals():
    mean = over_seeds(scores(4, 6, half_width=0.5))
    assert (mean.value, mean.low, mean.high) == pytest.approx((5, 5 - np.sqrt(0.5) / 2, 5 + np.sqrt(0.5) / 2))


def test_seeds_that_are_equal_by_chance_leave_the_scores_own_intervals():
    # Of 500 images the same number each time: shares whose differences are all 0.216, and their spread 0.
    verdict = paired(scores(0.9, 0.9, 0.9, half_width=0.02), scores(0.684, 0.684, 0.684), higher_is_better=True)
    half_width = np.hypot(0.02, 0.5) / np.sqrt(3)
    assert (verdict.difference.low, verdict.difference.high) == pytest.approx((0.216 - half_width, 0.216 + half_width))
    assert verdict.difference.covers == "sampling, for these weights" and verdict.method == "the scores' own intervals"
    assert verdict.a.high == pytest.approx(0.9 + 0.02 / np.sqrt(3))


def test_only_common_seeds_count_and_none_in_common_is_said():
    a, b = scores(4, 5, 6, train=[0, 1, 2]), scores(9, 4.5, train=[7, 1])
    verdict = paired(a, b, higher_is_better=False)
    assert verdict.difference.value == pytest.approx(0.5) and verdict.a.value == 5
    with pytest.raises(UserError, match="no common seeds: train 0 sample 0, train 1 sample 0 against train 5"):
        paired(scores(1, 2), scores(1, 2, train=[5, 6]), higher_is_better=True)


def test_real_images_have_no_seeds_and_are_compared_with_the_mean():
    real = scores(3.5, half_width=0.4, train=[None], sample=[None])
    verdict = paired(scores(7.1, 7.2, 7.3), real, higher_is_better=False)
    assert verdict.outcome == "worse" and verdict.difference.value == pytest.approx(3.7)
    assert "training and sampling" in verdict.difference.covers


def test_exact_numbers_have_an_exact_difference():
    one = [{**scores(10)[0], "low": 10, "high": 10, "covers": "nothing"}]
    two = [{**scores(20)[0], "low": 20, "high": 20, "covers": "nothing"}]
    verdict = paired(one, two, higher_is_better=False)
    assert verdict.outcome == "better" and verdict.difference == Estimate(-10, -10, -10, "nothing")


@pytest.mark.parametrize("seeds", [3, 5])
def test_equal_models_are_called_different_in_one_of_twenty(seeds):
    draws = np.random.default_rng(seeds)
    wrong = 0
    for _ in range(1000):
        level = draws.normal(5, 3, seeds)  # the seeds' own spread, common to both
        a, b = (scores(*(level + draws.normal(0, 0.2, seeds))) for _ in range(2))
        wrong += paired(a, b, higher_is_better=False).outcome != "not resolved"
    assert 0.03 <= wrong / 1000 <= 0.07


def test_differences_that_are_known_better_take_the_place_of_joined_intervals():
    a, b = scores(5.0, 5.2), scores(5.5, 5.9)
    known = {(0, 0): Estimate(-0.5, -0.53, -0.47), (1, 0): Estimate(-0.7, -0.74, -0.66)}
    assert paired(a, b, higher_is_better=False).outcome == "better"  # with 0.5 a side, joined: barely
    verdict = paired(a, b, higher_is_better=False, differences=known)
    assert verdict.difference.value == pytest.approx(-0.6) and verdict.method == "paired image by image"
    assert verdict.difference.high == pytest.approx(-0.6 + np.hypot(0.03, 0.04) / 2)
    # One seed's alone: the other's two intervals are joined, and the method is not the narrow one's.
    half = paired(a, b, higher_is_better=False, differences={(0, 0): known[0, 0]})
    assert half.method == "the scores' own intervals"
    assert half.difference.high == pytest.approx(-0.6 + np.hypot(0.03, 0.5 * 2**0.5) / 2)


def test_a_metric_with_an_ideal_value_compares_the_distances_to_it():
    far, near, hit = scores(-6), scores(2), scores(0.2)
    verdict = paired(near, far, higher_is_better=True, ideal=0.0)  # what is higher is of no account
    assert verdict.outcome == "better" and (verdict.a.value, verdict.b.value) == (2, -6)
    assert verdict.difference.value == pytest.approx(-4)
    assert paired(far, near, higher_is_better=False, ideal=0.0).outcome == "worse"
    # The same distance on the two sides, and an interval that holds the ideal value.
    assert paired(scores(-2), near, higher_is_better=False, ideal=0.0).outcome == "not resolved"
    verdict = paired(hit, scores(-0.9), higher_is_better=False, ideal=0.0)
    assert verdict.outcome == "not resolved" and verdict.difference.value == pytest.approx(-0.7)
    assert verdict.difference.low == pytest.approx(-0.7 - np.hypot(0.2, 0.5))
    assert paired(scores(-6, -6.1, -6.3), scores(2, 2.1, 2.4), higher_is_better=False, ideal=0.0).outcome == "worse"
    assert paired(scores(5), scores(9), higher_is_better=False, ideal=7.0).outcome == "not resolved"
