"""The training images that are nearest to some samples: the data of the figure of neighbours."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from diffbench.base.arrays import member_names, read_header, read_member
from diffbench.base.errors import UserError
from diffbench.base.provenance_file import provenance_path, read_provenance
from diffbench.figures._neighbours import Nearest, Neighbours
from diffbench.figures._pictures import BLANK, Pictures, classes_shown, places_of
from diffbench.metrics._features import STORED_MOMENTS

SHOWN, NEAREST = 10, 3
"""How many samples get neighbours, and how many neighbours each gets."""

USUAL = 64
"""How many training images are asked for their own nearest other."""

LARGEST = 2**28
"""The most numbers of training images that are compared. Of larger sets a part is, evenly spread."""

PIECE = 2**22
"""How many numbers are in memory as float64 at a time."""

USUAL_FEATURE = "pool"
"""The features of an extractor in which distances are taken, or its first ones if it has no such features."""


def neighbours(samples: Path, shown: Pictures, training: Path, features: Sequence[Path]) -> Neighbours:
    """Return the first samples with their nearest training images, by features if they are given, and by pixels.

    shown: the samples. features: files of the features of the samples and of the training images, or none.
    Raises: UserError if the files do not fit each other.
    """
    places, labels = chosen(shown, SHOWN)
    images = read_member(training, "arr_0")
    if images.shape[1:] != shown.images.shape[1:]:
        raise UserError(
            f"{training}: images of {images.shape[1:]}, but those of {samples} are {shown.images.shape[1:]}"
        )
    searched = spread(len(images), LARGEST // int(np.prod(images.shape[1:])))
    measures, missing = [], []
    if not features:
        missing.append("not by features, since those of training images of this size are not here")
    elif (name := _feature(features[1])) is None:
        missing.append("not by features, since the extractor has none with a row for each image")
    else:
        own, others = (read_member(path, name) for path in features)
        if len(own) != len(shown.images) or len(others) != len(images):
            raise UserError(f"{features[0]}, {features[1]}: not the features of {samples} and of {training}")
        searched = searched[spread(len(searched), LARGEST // others.shape[1])]
        found = _Search(others, searched).of(own[places])
        measures.append(found.measured("features", f"the distance in {_extractor(features[1])} '{name}'", images))
    flat = images.reshape(len(images), -1)
    found = _Search(flat, searched).of(shown.images[places].reshape(len(places), -1))
    measures.append(found.rooted(flat.shape[1]).measured("pixels", "the RMSE on the 0-255 scale", images))
    return Neighbours(shown.images[places], labels, measures, len(searched), len(images), missing)


def chosen(shown: Pictures, most: int) -> tuple[list[int], np.ndarray | None]:
    """Return which samples are shown, and their classes if they have any: the first of each class, or the first."""
    classes = classes_shown({"": shown}, most)
    if shown.labels is None or not classes:
        return list(range(min(most, len(shown.images)))), None
    places = [place for place in places_of(shown.labels, classes) if place != BLANK]
    return places, shown.labels[places]


def spread(total: int, wanted: int) -> Int[np.ndarray, " images"]:
    """Return the places of at most `wanted` of `total` images, evenly spread because a split may be sorted by class."""
    count = min(max(wanted, 1), total)
    return np.arange(count) * total // count


@dataclass(frozen=True)
class _Found:
    """The places of the nearest training images of every sample, their distances, and the usual distance."""

    places: Int[np.ndarray, "samples neighbours"]
    distances: Float[np.ndarray, "samples neighbours"]
    usual: float | None

    def rooted(self, values: int) -> "_Found":
        """Return the root of the mean square of the difference instead of the distance of that many values."""
        root = values**0.5
        return _Found(self.places, self.distances / root, None if self.usual is None else self.usual / root)

    def measured(self, measure: str, explained: str, images: np.ndarray) -> Nearest:
        """Return the neighbours with their pictures."""
        return Nearest(measure, explained, images[self.places], self.distances, self.usual)


@dataclass(frozen=True)
class _Search:
    """Rows of numbers, of which those at some places are compared."""

    rows: np.ndarray
    searched: Int[np.ndarray, " images"]

    def of(self, points: np.ndarray) -> _Found:
        """Return what is nearest to some points, and how near training images are to each other."""
        places, distances = self._nearest(points, NEAREST)
        some = self.searched[spread(len(self.searched), USUAL)]
        own, between = self._nearest(self.rows[some], 2)
        # A training image is nearest to itself, unless it has a copy.
        other = np.where(own[:, :1] == some[:, None], between[:, 1:], between[:, :1]) if own.shape[1] > 1 else None
        return _Found(places, distances, None if other is None else float(np.median(other)))

    def _nearest(self, points: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        points = points.astype(np.float64)
        squares, squared = (points**2).sum(axis=1), np.empty((len(points), len(self.searched)))
        step = max(1, PIECE // points.shape[1])
        for start in range(0, len(self.searched), step):
            piece = self.rows[self.searched[start : start + step]].astype(np.float64)
            squared[:, start : start + step] = squares[:, None] + (piece**2).sum(axis=1) - 2 * points @ piece.T
        # More than are wanted, since products are inexact: the distance of a copy is 0 by its differences only.
        near = np.argsort(squared, axis=1, kind="stable")[:, : 2 * count]
        places = self.searched[near]
        exact = np.linalg.norm(self.rows[places].astype(np.float64) - points[:, None], axis=2)
        order = np.lexsort((places, exact))[:, :count]
        return np.take_along_axis(places, order, axis=1), np.take_along_axis(exact, order, axis=1)


def _feature(path: Path) -> str | None:
    """Return the name of the features that are compared; None if a file has no rows of numbers."""
    moments = {name for pair in STORED_MOMENTS.values() for name in pair}
    rows = [name for name in member_names(path) if name not in moments and len(read_header(path, name).shape) == 2]
    return USUAL_FEATURE if USUAL_FEATURE in rows else rows[0] if rows else None


def _extractor(features: Path) -> str:
    """Return the name of the extractor of a file of features, as its record gives it."""
    spec = read_provenance(features)["spec"] if provenance_path(features).is_file() else {}
    return spec.get("extractor", {}).get("name", "features")
