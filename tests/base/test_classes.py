"""Counts of classes, and when a person is told that they are unequal."""

import numpy as np
import pytest

from diffbench.base.classes import class_counts, unlike_uniform


def test_counts_have_a_place_for_every_class():
    assert class_counts(np.array([2, 0, 2]), 4) == [1, 0, 2, 0]
    assert class_counts(None, 4) is None and class_counts(np.array([0]), None) is None


@pytest.mark.parametrize(
    ("counts", "share"),
    [
        ([81, 9], "40%"),
        ([60, 40], "10%"),
        ([0, 40, 40], "33%"),
        ([51, 49], None),
        ([100, 100], None),
        ([1300] * 895 + [1123] * 105, None),  # as unequal as ImageNet's
        ([], None),
        (None, None),
    ],
)
def test_unequal_classes_are_told_with_the_share_of_labels(counts, share):
    told = unlike_uniform(counts)
    if share is None:
        assert told is None
    else:
        assert (
            told.startswith(f"classes have {min(counts)} to {max(counts)} training images") and f" {share} of" in told
        )
