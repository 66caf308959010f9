"""Cells of a space around the centres of k-means, and the principal components in which they are found.

Everything is a function of the points alone: a fixed generator draws the first centres.
Source: Lloyd 1982, "Least squares quantization in PCM"; Arthur and Vassilvitskii 2007, "k-means++", for the first
centres.
"""

import numpy as np
from jaxtyping import Float, Int

from diffbench.base.errors import UserError
from diffbench.metrics._features import Features
from diffbench.metrics._moments import moments

RESTARTS = 10
"""How many times k-means starts. The result with the smallest sum of squares counts (scikit-learn's former default)."""

ROUNDS = 300
"""The most rounds of one start, as in scikit-learn."""


def principal(training: Features, components: int, *others: Features) -> list[Features]:
    """Return all sets in the training set's principal components, the largest `components` of them, centred."""
    mean, covariance = moments(training)
    axes = np.linalg.eigh(covariance)[1][:, ::-1][:, :components]
    return [(points - mean) @ axes for points in (training, *others)]


def centres_of(points: Features, cells: int) -> Float[np.ndarray, "cells features"]:
    """Return the centres of k-means. Raises: UserError if there are fewer different points than cells."""
    draws = np.random.Generator(np.random.PCG64(0))
    found = [_lloyd(points, _first(points, cells, draws)) for _ in range(RESTARTS)]
    return min(found, key=lambda centres: _squared(points, centres).min(axis=1).sum())


def cell_of(points: Features, centres: Float[np.ndarray, "cells features"]) -> Int[np.ndarray, " images"]:
    """Return the number of each point's nearest centre."""
    return _squared(points, centres).argmin(axis=1)


def _squared(points: Features, centres: Float[np.ndarray, "cells features"]) -> Float[np.ndarray, "images cells"]:
    """Return squared distances from differences, centre by centre, so that no large product loses small ones."""
    found = np.empty((len(points), len(centres)))
    for cell, centre in enumerate(centres):
        difference = points - centre
        found[:, cell] = np.einsum("ij,ij->i", difference, difference)
    return found


def _first(points: Features, cells: int, draws: np.random.Generator) -> Float[np.ndarray, "cells features"]:
    """Return points as first centres, each drawn in proportion to its squared distance from the former ones."""
    chosen = [int(draws.random() * len(points))]
    nearest = _squared(points, points[chosen])[:, 0]
    while len(chosen) < cells:
        reached = nearest.cumsum()
        if reached[-1] == 0:
            raise UserError(f"{len(chosen)} different images make no {cells} cells; lower cells")
        place = int(np.searchsorted(reached, draws.random() * reached[-1], side="right"))
        chosen.append(place)
        nearest = np.minimum(nearest, _squared(points, points[[place]])[:, 0])
    return points[chosen]


def _lloyd(points: Features, centres: Float[np.ndarray, "cells features"]) -> Float[np.ndarray, "cells features"]:
    """Return centres that are the means of their cells; one that lost all points stays where it is."""
    before = None
    for _ in range(ROUNDS):
        cells = cell_of(points, centres)
        if before is not None and (cells == before).all():
            break
        centres = np.array(
            [points[cells == i].mean(axis=0) if (cells == i).any() else c for i, c in enumerate(centres)]
        )
        before = cells
    return centres
