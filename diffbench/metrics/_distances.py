"""Squared distances of all pairs in blocks: a matrix product in float32, with a bound on its rounding error.

|a - b|^2 = |a|^2 + |b|^2 - 2 a'b after both vectors are centred. A block says where a distance surely is, or may be, at
most a radius. Whoever asks decides what is open between the two from differences in float64, and so gets the answers
of float64 distances.

The bound. Let u be half the product's epsilon, d the number of features, c and e the centred vectors,
S = |c|^2 + |e|^2, and g = d u / (1 - d u). Note that 2 |c||e| <= S and |c - e|^2 <= 2 S.

- Rounding c and e to the product's precision changes 2 c'e by at most 2 (2 u + u^2) |c||e| <= 2.01 u S.
- The product of the rounded vectors is off by at most g |c||e| (1 + u)^2, in any order of summation, with or without
  fused multiplication (Higham 2002, "Accuracy and stability of numerical algorithms", section 3.1). Twice that is at
  most g S (1 + u)^2.
- |c|^2 is rounded (u |c|^2) and added (the sum is at most |c|^2 + S, so u (|c|^2 + S)). That makes 3 u S.
- |e|^2 is rounded (u |e|^2) and added (the sum is at most 2 S (1 + g)), where this is not done in float64: 4 u S.

So the sum is within g S + 10 u S; the code takes g S + 32 u S and thereby covers the factors (1 + u). In float64
remain: the squares (d eps S at most), the centring (2 eps S) and the differences that decide (relative error
(d + 2) eps / 2 of at most 2 S), together less than 2 (d + 2) eps S. Numbers that underflow lose at most the smallest
normal number for each of the d products. S is the sum of a part of the row and a part of the column, so both are kept.
Limits that are rounded to the product's precision are moved to the next number on the safe side.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Bool, Float, Int

from diffbench.metrics._features import Features, References
from diffbench.metrics._products import product

BLOCK_ENTRIES = 2**24
"""How many distances are held at a time (64 MiB in float32)."""

STRIP_ENTRIES = 2**18
"""How many numbers are worked on at a time, so that they stay in the cache (1 or 2 MiB)."""

SYMMETRIC_ENTRIES = 2**27
"""Products of a set with itself that are held whole (512 MiB). BLAS then computes one triangle, half the work."""

OPEN_SHARE = 1 / 256
"""The largest share of a block's pairs that is worth deciding one by one."""

PIECES = 16
"""Pieces of a row for each neighbour that is looked for. Two near ones share a piece once in so many times."""


def exact(
    points: Features, row: Int[np.ndarray, " pairs"], centres: References, column: Int[np.ndarray, " pairs"]
) -> Float[np.ndarray, " pairs"]:
    """Return the squared distances of some pairs from their differences in float64, in bounded memory."""
    pieces = np.array_split(np.arange(len(row)), len(row) * points.shape[1] // STRIP_ENTRIES + 1)
    return np.concatenate([_squared(points[row[piece]] - centres[column[piece]]) for piece in pieces])


def _squared(vectors: Features) -> Float[np.ndarray, " images"]:
    return np.einsum("ij,ij->i", vectors, vectors)


@dataclass
class Block:
    """Squared distances of some points to all centres: `partial` + the column's `squares`, and their error.

    The error is at most `row_slack` + the column's `column_slack`. last: no block of these pairs is more precise.
    """

    partial: Float[np.ndarray, "block references"]
    squares: Float[np.ndarray, " references"]
    row_slack: float
    column_slack: Float[np.ndarray, " references"]
    last: bool

    @property
    def shape(self) -> tuple[int, int]:
        """The number of points and of centres."""
        return self.partial.shape

    def leaves_open(self, undecided: int) -> bool:
        """Return whether so many undecided pairs are too many to decide one by one, and a better block is to be had."""
        return not self.last and undecided > OPEN_SHARE * self.shape[0] * self.shape[1]

    def leave_out(self, rows: Int[np.ndarray, " pairs"], columns: Int[np.ndarray, " pairs"]) -> None:
        """Put some pairs at an infinite distance."""
        self.partial[rows, columns] = np.inf

    def within_columns(self, radii: Float[np.ndarray, " references"]) -> tuple[np.ndarray, np.ndarray]:
        """Return where a distance is surely, and where it may be, at most the column's squared radius."""
        limit, slack = radii - self.squares, self.row_slack + self.column_slack
        low, high = self._rounded(limit - slack, -np.inf), self._rounded(limit + slack, np.inf)
        return self.partial <= low, self.partial <= high

    def within_rows(self, radii: Float[np.ndarray, " block"]) -> tuple[np.ndarray, np.ndarray]:
        """Return where a distance is surely, and where it may be, at most the row's squared radius."""
        surely, maybe = np.empty(self.shape, bool), np.empty(self.shape, bool)
        low = self._rounded(radii[:, None] - self.row_slack, -np.inf)
        high = self._rounded(radii[:, None] + self.row_slack, np.inf)
        more = self._rounded(self.squares + self.column_slack, np.inf)
        less = self._rounded(self.squares - self.column_slack, -np.inf)
        for rows in self._strips():
            np.less_equal(self.partial[rows] + more, low[rows], out=surely[rows])
            np.less_equal(self.partial[rows] + less, high[rows], out=maybe[rows])
        return surely, maybe

    def distance(self, row: np.ndarray, column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the distances of some pairs in float64, and their errors."""
        return self.partial[row, column] + self.squares[column], self.row_slack + self.column_slack[column]

    def among_nearest(self, count: int) -> Bool[np.ndarray, "block references"]:
        """Return which columns may be among the row's `count` nearest."""
        found = np.empty(self.shape, bool)
        more = self._rounded(self.squares + self.column_slack, np.inf)
        for rows in self._strips():
            upper = self.partial[rows] + more
            limit = _reached_by(upper, count).astype(np.float64) + 2 * (self.row_slack + self.column_slack.max())
            np.less_equal(upper, self._rounded(limit, np.inf), out=found[rows])
        return found

    def _strips(self) -> list[slice]:
        """Return the rows in strips that fit into a processor's cache."""
        height = max(1, STRIP_ENTRIES // self.shape[1])
        return [slice(start, start + height) for start in range(0, self.shape[0], height)]

    def _rounded(self, values: np.ndarray, towards: float) -> np.ndarray:
        kind = self.partial.dtype.type
        return np.nextafter(values.astype(kind), kind(towards))


def _reached_by(distances: Float[np.ndarray, "block references"], count: int) -> Float[np.ndarray, "block 1"]:
    """Return for each row a number that is not exceeded by at least `count` of its distances, and by few more.

    It is the count-th smallest of the minima of many short pieces. That takes one pass; a partition is almost a sort.
    """
    width = distances.shape[1] // (PIECES * count)
    if width < 2:
        return np.partition(distances, count - 1, axis=1)[:, count - 1 : count]
    whole = distances.shape[1] // width * width
    minima = distances[:, :whole].reshape(len(distances), width, -1).min(axis=1)
    return np.partition(minima, count - 1, axis=1)[:, count - 1 : count]


class Reader(Protocol):
    """Something that wants to know of all pairs of points and centres."""

    def read(self, start: int, block: Block, /) -> bool:
        """Take in the pairs of the points from `start` on, or return False if the block leaves too many open."""
        ...


def read_pairs(points: Features, centres: References, *readers: Reader) -> None:
    """Show all pairs to every reader, in float32 and, to those for which that is not enough, in float64."""
    pairs = _Pairs(points, centres)
    exacting: list[Reader] = []
    for start in pairs.starts:
        waiting = [reader for reader in readers if reader not in exacting]
        if pairs.fits_float32 and waiting:
            block = pairs.block(start, np.float32)
            # If one block leaves too much open, the next ones will too.
            exacting += [reader for reader in waiting if not reader.read(start, block)]
        elif not pairs.fits_float32:
            exacting = list(readers)
        if exacting:
            block = pairs.block(start, np.float64)
            for reader in exacting:
                reader.read(start, block)


class _Pairs:
    """All pairs of points and centres, in blocks of points. Squares are those of centred vectors."""

    def __init__(self, points: Features, centres: References):
        self.points, self.centres = points, centres
        # Vectors are centred, so that a large common offset does not cost digits.
        self.origin = centres.mean(axis=0)
        self.squares = np.concatenate([self._squares(part) for part in self._chunks(centres)])
        self.size = max(1, BLOCK_ENTRIES // len(centres))
        self.starts = range(0, len(points), self.size)
        largest = max(float(self.squares.max()), max(float(self._squares(p).max()) for p in self._chunks(points)))
        # Beyond these sizes, float32 would overflow or lose small differences.
        self.fits_float32 = 1e-20 < largest < 1e30
        self._columns: dict[type, np.ndarray] = {}
        self._symmetric: np.ndarray | None = None
        self._room: np.ndarray | None = None

    def block(self, start: int, precision: type) -> Block:
        """Return the pairs of the points from `start` on. The block holds until the next one is asked for."""
        if precision not in self._columns:
            self._prepare(precision)
        rows = self.points[start : start + self.size] - self.origin
        squares = _squared(rows)
        if self._symmetric is not None and precision is np.float32:
            partial = np.multiply(self._symmetric[start : start + self.size], -2, out=self._held(rows, precision))
        else:
            scaled = (-2 * rows).astype(precision)
            partial = product(scaled, self._columns[precision], out=self._held(rows, precision))
        partial += squares.astype(precision)[:, None]
        width, exact, u = rows.shape[1], np.finfo(np.float64).eps, np.finfo(precision).eps / 2
        # The bound of the module's docstring. 1.01 is at least 1 / (1 - d u) up to 166,000 features in float32.
        unit = (max(1.01, 1 / (1 - width * u)) * width + 32) * u + 2 * (width + 2) * exact
        floor = 32 * exact * float(self.origin @ self.origin) + width * float(np.finfo(precision).tiny)
        slack = unit * float(squares.max()) + floor
        return Block(partial, self.squares, slack, unit * self.squares, last=precision is np.float64)

    def _held(self, rows: np.ndarray, precision: type) -> np.ndarray:
        """Return room for the distances of some rows. It is allocated once, since fresh memory costs time."""
        if self._room is None or self._room.dtype != precision:
            self._room = np.empty((min(self.size, len(self.points)), len(self.centres)), precision)
        return self._room[: len(rows)]

    def _prepare(self, precision: type) -> None:
        columns = np.concatenate([(part - self.origin).astype(precision) for part in self._chunks(self.centres)])
        self._columns[precision] = columns
        if self.points is self.centres and len(columns) ** 2 <= SYMMETRIC_ENTRIES and precision is np.float32:
            self._symmetric = product(columns, columns)

    def _squares(self, part: np.ndarray) -> np.ndarray:
        return _squared(part - self.origin)

    @staticmethod
    def _chunks(x: np.ndarray) -> list[np.ndarray]:
        return np.array_split(x, x.size // BLOCK_ENTRIES + 1)
