"""Digits that intervals support, and the best values of a column."""

import math

import pytest

from diffbench.stages._digits import decimals_of, decimals_without_intervals, marks, shown

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("half_widths", "decimals"),
    [
        ([0.48, 0.5, 0.6], 2),  # two digits of 0.5: 0.50
        ([0.03], 3),
        ([0.0995], 3),
        ([1.0], 1),
        ([12.0], 0),
        ([1400.0], 0),
        ([0.5, 0.5, 1e-6], 2),  # one exact row does not lengthen all numbers
        ([1e-20], 8),
        ([NAN, 0.0, INF], None),
        ([], None),
    ],
)
def test_two_digits_of_the_median_half_width(half_widths, decimals):
    assert decimals_of(half_widths) == decimals


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (3.0, 2, "3.00"),
        (-0.001, 2, "0.00"),
        (-0.006, 2, "-0.01"),
        (25.0, None, "25"),
        (0.5, None, "0.5"),
        (0.977733, None, "0.9777"),
        (190514, None, "190514"),
        (82022400, None, "8.20e7"),
        (1.14e9, None, "1.14e9"),
        (7.71e-8, None, "7.71e-8"),
        (INF, 1, "∞"),
        (-INF, None, "-∞"),
        (NAN, 2, ""),
    ],
)
def test_numbers_as_people_read_them(value, decimals, text):
    assert shown(value, decimals) == text


def test_numbers_without_intervals_have_the_decimals_of_the_longest():
    assert decimals_without_intervals([0.97773, 0.648, 2.5]) == 4
    assert decimals_without_intervals([0.0, 0.5, 4.0]) == 1
    assert decimals_without_intervals([0.0, 1.0, NAN]) is None
    assert decimals_without_intervals([2e-5, 0.5]) is None


def test_best_and_second_with_ties_and_without_gaps():
    assert marks(["3.5", "4.0", "5.0"], ["p"] * 3, higher=False) == ["best", "second", None]
    assert marks(["3.5", "4.0", "5.0"], ["p"] * 3, higher=True) == [None, "second", "best"]
    assert marks(["3.5", "", "3.5", "4.0", "4.0"], ["p"] * 5, higher=False) == [
        "best",
        None,
        "best",
        "second",
        "second",
    ]
    assert marks(["20.1", "∞", "19.0"], ["p"] * 3, higher=True) == ["second", "best", None]


def test_marks_are_given_within_a_group_and_only_where_values_differ():
    assert marks(["3", "2", "1", "9"], [None, "p", "q", "q"], higher=False) == [None, None, "best", "second"]
    assert marks(["3", "3"], ["p", "p"], higher=False) == [None, None]
    assert marks(["3"], ["p"], higher=False) == [None]
    assert marks([], [], higher=True) == []
