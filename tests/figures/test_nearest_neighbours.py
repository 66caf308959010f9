"""Samples above their nearest training images: distances below each, and what was not compared in the small print."""

import dataclasses

import pytest

from diffbench.base.errors import UserError
from diffbench.figures.nearest_neighbours import NearestNeighbours


def words(figure):
    return [text.get_text() for text in figure.texts]


def test_rows_are_samples_and_then_neighbours_with_their_distances(neighbours):
    figure = NearestNeighbours(title="adm")(neighbours)
    found = words(figure)
    assert found[:4] == ["0", "1", "1", "7"] and "class of the sample" in found
    labels = ["sample", "nearest by features", "second", "nearest by pixels", "second"]
    assert [text for text in found if text in labels] == labels and len(figure.axes) == 5
    assert {"0.00", "2.50", "0.25"} <= {*found}
    small = " ".join(found)
    assert "distances of pixels (median from a training image to the nearest other: 2.50)" in small
    assert "all 50 training images" in small and "the first of each class" in small


def test_gaps_are_named(neighbours):
    gap = dataclasses.replace(
        neighbours,
        labels=None,
        measures=[dataclasses.replace(neighbours.measures[1], usual=None)],
        of=60_000,
        missing=["not by features"],
    )
    small = " ".join(words(NearestNeighbours()(gap)))
    assert "50 of 60,000 training images" in small and "not by features" in small and "the first of the set" in small
    assert "median" not in small


def test_columns_are_limited_and_nothing_to_compare_is_refused(neighbours):
    assert "7" not in words(NearestNeighbours(columns=3)(neighbours))
    with pytest.raises(ValueError, match="columns: 0"):
        NearestNeighbours(columns=0)
    with pytest.raises(UserError, match="no samples, or no measure"):
        NearestNeighbours()(dataclasses.replace(neighbours, measures=[]))
