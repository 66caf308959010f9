"""Nearest neighbours and balls around points, decided exactly, in bounded memory.

A product in float32 decides what its error bound allows (`_distances`); the rest is decided from differences in
float64. So every answer is that of float64 distances, and `<=` is exact: the distance of a point to its copy is 0.
If float32 leaves many comparisons open (clusters far apart), the block is computed again in float64.

Why not one product and a comparison? It is wrong exactly where images repeat, which is where memorising shows: of 120
points at 1e-6 from a copy of the reference, whose balls have radius 0, a float64 product puts 68 inside, and none lies
there. Differences decide that, and cost 25 times as much.
"""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from diffbench.metrics._distances import Block, exact, read_pairs
from diffbench.metrics._features import Features, References

ENOUGH = 24
"""If so many balls hold a point, each random half of the images holds it too, except with a chance of 2^-24."""

Inside = Callable[[int, Bool[np.ndarray, "balls points"]], None]
"""Takes the first ball's index, and which points each ball of a block holds."""

Levels = Callable[[Bool[np.ndarray, " block"], np.ndarray, np.ndarray, np.ndarray], None]
"""Takes, of a block, which points at least ENOUGH centres hold, and of the other points' pairs: the point's place in
the block, the centre, and the number of the smallest ball that holds the point, from 1 on."""


def nearest_others(
    x: Features, count: int, exact: int | None = None
) -> tuple[Int[np.ndarray, "images count"], Float[np.ndarray, "images count"]]:
    """Return each point's `count` nearest others and their squared distances, nearest first.

    exact: how many of them are exact. Intervals also need those after it, and for them the product is near enough.
    """
    found = _Nearest(x, x, count, count if exact is None else exact, own=True)
    read_pairs(x, x, found)
    return found.indices, found.squared


def nearest(
    points: Features, centres: References, count: int
) -> tuple[Int[np.ndarray, "images count"], Float[np.ndarray, "images count"]]:
    """Return each point's `count` nearest centres and their squared distances, nearest first."""
    found = _Nearest(points, centres, count, count, own=False)
    read_pairs(points, centres, found)
    return found.indices, found.squared


class _Nearest:
    """The nearest centres of each point. own: the points are the centres, and a point is not its own neighbour."""

    def __init__(self, points: Features, centres: References, count: int, exact: int, own: bool):
        self.points, self.centres, self.count, self.exact, self.own = points, centres, count, exact, own
        self.indices = np.empty((len(points), count), np.int64)
        self.squared = np.empty((len(points), count))

    def read(self, start: int, block: Block) -> bool:
        """Find the neighbours of a block of points."""
        rows, count = np.arange(block.shape[0]), self.count
        if self.own:
            block.leave_out(rows, start + rows)
        candidates = block.among_nearest(count)
        if block.leaves_open(int(candidates.sum()) - len(rows) * count):
            return False
        row, column = _places(np.flatnonzero(candidates), block.shape)
        first = np.searchsorted(row, rows)
        squared, slack = block.distance(row, column)
        upper = squared + slack
        limit = upper[np.lexsort((upper, row))[first + self.exact - 1]]
        near = np.flatnonzero(squared - slack <= limit[row])
        squared[near] = exact(self.points, start + row[near], self.centres, column[near])
        chosen = np.lexsort((squared, row))[first[:, None] + np.arange(count)]
        self.indices[start + rows], self.squared[start + rows] = column[chosen], squared[chosen]
        return True


class BallsOf:
    """A reader of pairs (centre, point) that tells which points are in the ball around each centre."""

    def __init__(
        self,
        centres: References,
        points: Features,
        squared_radii: Float[np.ndarray, " references"],
        take: Sequence[Inside],
    ):
        self.centres, self.points, self.squared_radii, self.take = centres, points, squared_radii, take

    def read(self, start: int, block: Block) -> bool:
        """Hand on which points the balls of a block of centres hold."""
        radii = self.squared_radii[start : start + block.shape[0]]
        inside, maybe = block.within_rows(radii)
        undecided = np.flatnonzero(inside != maybe)
        if block.leaves_open(len(undecided)):
            return False
        row, column = _places(undecided, block.shape)
        inside[row, column] = exact(self.centres, start + row, self.points, column) <= radii[row]
        for take in self.take:
            take(start, inside)
        return True


class LevelsOf:
    """A reader of pairs (point, centre) that tells the smallest ball around each centre that holds the point.

    squared: the ascending squared radii of each centre's balls, of which k + 1 are exact. Pairs of points that at least
    ENOUGH centres hold in their k-th ball are left out.
    """

    def __init__(
        self,
        points: References,
        centres: Features,
        squared: Float[np.ndarray, "generated count"],
        k: int,
        take: Levels,
    ):
        self.points, self.centres, self.squared, self.k, self.take = points, centres, squared, k, take

    def read(self, start: int, block: Block) -> bool:
        """Hand on the pairs of a block of points."""
        held = block.within_columns(self.squared[:, self.k - 1])[0].sum(axis=1) >= ENOUGH
        maybe = block.within_columns(self.squared[:, -1])[1]
        maybe[held] = False
        row, column = _places(np.flatnonzero(maybe), block.shape)
        middle, slack = block.distance(row, column)
        low, high = self._level(column, middle - slack), self._level(column, middle + slack)
        undecided = np.flatnonzero((low != high) & (low <= self.k + 1))
        if block.leaves_open(len(undecided)):
            return False
        distances = exact(self.points, start + row[undecided], self.centres, column[undecided])
        low[undecided] = self._level(column[undecided], distances)
        kept = low <= self.squared.shape[1]
        self.take(held, row[kept], column[kept], low[kept])
        return True

    def _level(
        self, column: Int[np.ndarray, " found"], distance: Float[np.ndarray, " found"]
    ) -> Int[np.ndarray, " found"]:
        """Return the number, from 1 on, of the first of a centre's radii that reaches this distance."""
        level = np.ones(len(column), np.int64)
        for radii in self.squared.T:
            level += radii[column] < distance
        return level


def _places(flat: Int[np.ndarray, " found"], shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    return flat // shape[1], flat % shape[1]
