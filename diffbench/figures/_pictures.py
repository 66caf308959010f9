"""Image sets as figures show them, and which images of a set are shown: some of every class, chosen by a rule alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

ImageSet = UInt8[np.ndarray, "_ _ _ _"]
"""Bytes, channels last. Sets may differ in their numbers of images, so the axes have no names."""

BLANK = -1
"""The place of an image that a set does not have."""


@dataclass(frozen=True)
class Pictures:
    """Images and, if they are known, their classes: one whole number for each image.

    start: names the x_T from which images were sampled: image k of two sets with the same name starts from the same
    x_T. None if that is not known, or the images are not samples.
    """

    images: ImageSet
    labels: np.ndarray | None = None
    start: str | None = None

    def __post_init__(self) -> None:
        if self.labels is not None and len(self.labels) != len(self.images):
            raise ValueError(f"labels: {len(self.labels)} for {len(self.images)} images")


def classes_shown(sets: Mapping[str, Pictures], columns: int) -> list[int]:
    """Return the class of each column, ascending; an empty list if no set has classes.

    The classes are those of the last set that has any: those that a model was asked for come before those of real
    images, which are the first set. If there are more than columns, they are chosen at equal distances. Otherwise each
    class has one column, then a second one, and so on, as long as that set has images of it.
    """
    labelled = [found.labels for found in sets.values() if found.labels is not None]
    if not labelled:
        return []
    present, counts = np.unique(labelled[-1], return_counts=True)
    if len(present) >= columns:
        return [int(present[place * len(present) // columns]) for place in range(columns)]
    in_turn = [int(label) for turn in range(counts.max(initial=0)) for label in present[counts > turn]]
    return sorted(in_turn[:columns])


def places_of(labels: np.ndarray, classes: Sequence[int]) -> list[int]:
    """Return which image of a set is in each column: the first of a class, then its second; BLANK where none is left.

    Sets with equal labels have the same images in the same columns.
    """
    left = {wanted: list(np.flatnonzero(labels == wanted)[: classes.count(wanted)]) for wanted in set(classes)}
    return [int(left[wanted].pop(0)) if left[wanted] else BLANK for wanted in classes]


def shown_in(found: Pictures, classes: Sequence[int], columns: int) -> list[int]:
    """Return which image of a set is in each column, or BLANK. A set without labels shows its first."""
    if found.labels is None or not classes:
        return [place if place < len(found.images) else BLANK for place in range(columns)]
    return places_of(found.labels, classes)


def first_of(found: Pictures, classes: Sequence[int], columns: int) -> tuple[ImageSet, list[int]]:
    """Return the images of a set that are shown, and the column of each."""
    places = shown_in(found, classes, columns)
    filled = [column for column, place in enumerate(places) if place != BLANK]
    return found.images[[places[column] for column in filled]], filled


def start_alike(sets: Mapping[str, Pictures], classes: Sequence[int], columns: int) -> bool:
    """Return whether the samples in each column start from the same x_T, as far as sets name where they start."""
    sampled = [found for found in sets.values() if found.start is not None]
    if len(sampled) < 2 or len({found.start for found in sampled}) > 1:
        return False
    by_column = zip(*(shown_in(found, classes, columns) for found in sampled), strict=True)
    return all(len({*places} - {BLANK}) <= 1 for places in by_column)
