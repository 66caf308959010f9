"""Nearest neighbours in float64 and bounded memory, with ties decided exactly.

Distances come from one matrix product a block, |a|^2 + |b|^2 - 2 a'b, whose rounding would decide ties at
random: the distance of a point to its copy would be 1e-13 instead of 0. So radii, and every comparison that
lies within the product's rounding error, are computed again from the differences, and `<=` means what it
says.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from diffbench.base.errors import UserError
from diffbench.metrics._features import Features, FeatureSet, References, feature_pair

BLOCK_ENTRIES = 2**24
"""Distances held at a time (128 MiB)."""


@dataclass(frozen=True)
class NeighbourMetric:
    """Configuration of the metrics of k nearest neighbours.

    num_reference: the first so many reference images count (ADM's evaluator takes 10,000); null takes all.
    """

    features: str = "pool"
    k: int = 3
    num_reference: int | None = None

    def __post_init__(self) -> None:
        if self.k < 1:
            raise UserError(f"k = {self.k}, at least 1 is allowed")
        if self.num_reference is not None and self.num_reference < self.k + 2:
            raise UserError(f"num_reference = {self.num_reference}, at least k + 2 = {self.k + 2} is allowed")

    @property
    def fewest(self) -> int:
        """Images that it needs."""
        return self.k + 2

    def pair(self, generated: FeatureSet, reference: FeatureSet) -> tuple[Features, References]:
        """Return the features compared: all generated images, the first num_reference of the reference."""
        x, y = feature_pair(generated, reference, self.features, at_least=self.k + 2)
        return x, y[: self.num_reference]


def nearest(x: Features, count: int) -> tuple[Int[np.ndarray, "images count"], Float[np.ndarray, "images count"]]:
    """Return each point's `count` nearest others and their squared distances, nearest first."""
    indices = np.empty((len(x), count), np.int64)
    for start, squared, _ in _blocks(x, x):
        rows = np.arange(len(squared))
        squared[rows, start + rows] = np.inf
        indices[start : start + len(rows)] = np.argpartition(squared, count - 1, axis=1)[:, :count]
    distances = np.stack([_direct(x, x[column]) for column in indices.T], axis=1)
    order = np.argsort(distances, axis=1, kind="stable")
    return np.take_along_axis(indices, order, axis=1), np.take_along_axis(distances, order, axis=1)


def within(
    points: Features, centres: References, *squared_radii: Float[np.ndarray, " references"]
) -> Iterator[tuple[int, list[Bool[np.ndarray, "block references"]]]]:
    """Yield, for blocks of points, the first one's index and per set of radii which centres are so near."""
    for start, squared, rounding in _blocks(points, centres):
        answers = []
        for radii in squared_radii:
            inside = squared <= radii
            row, column = np.nonzero(np.abs(squared - radii) <= rounding)
            for part in np.array_split(np.arange(len(row)), len(row) * points.shape[1] // BLOCK_ENTRIES + 1):
                i, j = row[part], column[part]
                inside[i, j] = _direct(points[start + i], centres[j]) <= radii[j]
            answers.append(inside)
        yield start, answers


def _direct(a: Features, b: Features) -> Float[np.ndarray, " images"]:
    difference = a - b
    return np.einsum("ij,ij->i", difference, difference)


def _blocks(
    x: Features, y: References
) -> Iterator[tuple[int, Float[np.ndarray, "block references"], Float[np.ndarray, "block references"]]]:
    """Yield start, squared distances of a block of x to all of y, and a bound on their rounding error."""
    # Centred, so that a large common offset does not eat the digits.
    centre = y.mean(axis=0)
    y = y - centre
    y_squares = np.einsum("ij,ij->i", y, y)
    size = max(1, BLOCK_ENTRIES // len(y))
    for start in range(0, len(x), size):
        rows = x[start : start + size] - centre
        norms = np.add.outer(np.einsum("ij,ij->i", rows, rows), y_squares)
        # |a'b| <= (|a|^2 + |b|^2) / 2 bounds the error of a sum of d products; the centre adds its own.
        scale = norms + centre @ centre
        yield start, norms - 2 * rows @ y.T, scale * ((2 * x.shape[1] + 8) * np.finfo(np.float64).eps)
