"""Nearest neighbours in bounded memory: one float32 matrix product a block, and exact float64 wherever that decides.

Squared distances |a|^2 + |b|^2 - 2 a'b come from a product in float32, with a bound on its rounding error that holds
for any order of summation. If a comparison is closer than the bound, it is made again from the differences in float64.
So every answer is that of float64 distances, and `<=` is exact: the distance of a point to its copy is 0.
If float32 leaves many comparisons open (clusters far apart), the block is computed again in float64.

Why not one product and a comparison? It is wrong exactly where images repeat, which is where memorising shows: of 120
points at 1e-6 from a copy of the reference, whose balls have radius 0, a float64 product puts 68 inside, and none lies
there. Differences decide that, and cost 25 times as much: those of 600 x 600 x 2,048 features take 3.1 s of a core, as
do precision and recall of 3,000 x 3,000 here, intervals included. With products in float64 alone, and the same checks,
they take 4.1 s and twice the memory.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from diffbench.base.errors import UserError
from diffbench.metrics._features import Features, FeatureSet, References, feature_pair

BLOCK_ENTRIES = 2**24
"""How many distances are held at a time (64 MiB in float32)."""

SYMMETRIC_ENTRIES = 2**27
"""Products of a set with itself that are held whole (512 MiB). BLAS then computes one triangle, half the work."""

OPEN_SHARE = 1 / 256
"""The largest share of a block's pairs that is worth deciding one by one."""

PIECES = 16
"""Pieces of a row for each neighbour that is looked for. Two near ones share a piece once in so many times."""

ENOUGH = 24
"""If so many balls hold a point, each random half of the images holds it too, except with a chance of 2^-24."""


@dataclass(frozen=True)
class NeighbourMetric:
    """Configuration of the metrics of k nearest neighbours.

    num_reference: how many reference images count, from the first on (ADM's evaluator takes 10,000); null takes all.
    """

    features: str = "pool"
    """the array of features that it takes."""
    k: int = 3
    """a ball reaches to the k-th nearest neighbour."""
    num_reference: int | None = None

    def __post_init__(self) -> None:
        if self.k < 1:
            raise UserError(f"k = {self.k}, at least 1 is allowed")
        if self.num_reference is not None and self.num_reference < self.k + 2:
            raise UserError(f"num_reference = {self.num_reference}, at least k + 2 = {self.k + 2} is allowed")

    @property
    def fewest(self) -> int:
        """How many images it needs."""
        return self.k + 2

    def pair(self, generated: FeatureSet, reference: FeatureSet) -> tuple[Features, References]:
        """Return the features that are compared: all generated images, and the first num_reference of the reference."""
        x, y = feature_pair(generated, reference, self.features, at_least=self.k + 2)
        return x, y[: self.num_reference]


def nearest_others(
    x: Features, count: int, exact: int | None = None
) -> tuple[Int[np.ndarray, "images count"], Float[np.ndarray, "images count"]]:
    """Return each point's `count` nearest others and their squared distances, nearest first.

    exact: how many of them are exact. Intervals also need those after it, and for them the product is near enough.
    """
    return _nearest(x, x, count, count if exact is None else exact, own=True)


def nearest(
    points: Features, centres: References, count: int
) -> tuple[Int[np.ndarray, "images count"], Float[np.ndarray, "images count"]]:
    """Return each point's `count` nearest centres and their squared distances, nearest first."""
    return _nearest(points, centres, count, count, own=False)


def within(
    points: Features, centres: References, squared_radii: Float[np.ndarray, " references"]
) -> Iterator[tuple[int, Bool[np.ndarray, "block references"]]]:
    """Yield, for blocks of points, the first point's index and which centres have each point within their radius."""
    pairs = _Pairs(points, centres)
    for start in pairs.starts:
        for precision in pairs.precisions:
            block = pairs.block(start, precision)
            surely, maybe = block.at_most(squared_radii)
            undecided = np.flatnonzero(surely != maybe)
            if len(undecided) <= OPEN_SHARE * maybe.size:
                break
        for part in _pieces(undecided, points.shape[1]):
            row, column = _places(part, maybe.shape)
            surely[row, column] = _direct(points[start + row], centres[column]) <= squared_radii[column]
        yield start, surely


def levels(
    points: Features, centres: References, squared: Float[np.ndarray, "references count"], k: int
) -> Iterator[
    tuple[Bool[np.ndarray, " block"], Int[np.ndarray, " found"], Int[np.ndarray, " found"], Int[np.ndarray, " found"]]
]:
    """Yield, for blocks of points, the pairs of a point and a centre with the smallest ball that holds the point.

    squared: the ascending squared radii of each centre's balls, of which k + 1 are exact.
    Yields first the points that at least ENOUGH centres hold in their k-th ball; the pairs of these are left out. Then,
    for each pair, the point's place in the block, the centre, and the number of the ball, from 1 on.
    """
    pairs = _Pairs(points, centres)
    for start in pairs.starts:
        for precision in pairs.precisions:
            block = pairs.block(start, precision)
            held = block.at_most(squared[:, k - 1])[0].sum(axis=1) >= ENOUGH
            maybe = block.at_most(squared[:, -1])[1]
            maybe[held] = False
            row, column = _places(np.flatnonzero(maybe), maybe.shape)
            middle, slack = block.distance(row, column)
            low, high = _level(squared, column, middle - slack), _level(squared, column, middle + slack)
            undecided = np.flatnonzero((low != high) & (low <= k + 1))
            if len(undecided) <= OPEN_SHARE * maybe.size:
                break
        for part in _pieces(undecided, points.shape[1]):
            exact = _direct(points[start + row[part]], centres[column[part]])
            low[part] = _level(squared, column[part], exact)
        kept = low <= squared.shape[1]
        yield held, row[kept], column[kept], low[kept]


def _level(
    squared: Float[np.ndarray, "references count"],
    column: Int[np.ndarray, " found"],
    distance: Float[np.ndarray, " found"],
) -> Int[np.ndarray, " found"]:
    """Return the number, from 1 on, of the first of a centre's radii that reaches this distance."""
    level = np.ones(len(column), np.int64)
    for radii in squared.T:
        level += radii[column] < distance
    return level


def _nearest(
    points: Features, centres: References, count: int, exact: int, own: bool
) -> tuple[Int[np.ndarray, "images count"], Float[np.ndarray, "images count"]]:
    indices, distances = np.empty((len(points), count), np.int64), np.empty((len(points), count))
    pairs = _Pairs(points, centres)
    for start in pairs.starts:
        for precision in pairs.precisions:
            block = pairs.block(start, precision)
            rows = np.arange(len(block.partial))
            if own:
                block.partial[rows, start + rows] = np.inf
            candidates = block.among_nearest(count)
            if candidates.sum() <= len(rows) * count + OPEN_SHARE * candidates.size:
                break
        flat = np.flatnonzero(candidates)
        row, column = _places(flat, candidates.shape)
        first = np.searchsorted(row, rows)
        squared, slack = block.distance(row, column)
        upper = squared + slack
        limit = upper[np.lexsort((upper, row))[first + exact - 1]]
        for part in _pieces(np.flatnonzero(squared - slack <= limit[row]), points.shape[1]):
            squared[part] = _direct(points[start + row[part]], centres[column[part]])
        chosen = np.lexsort((squared, row))[first[:, None] + np.arange(count)]
        indices[start + rows], distances[start + rows] = column[chosen], squared[chosen]
    return indices, distances


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


def _places(flat: Int[np.ndarray, " found"], shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    return flat // shape[1], flat % shape[1]


def _pieces(places: Int[np.ndarray, " found"], width: int) -> list[Int[np.ndarray, " piece"]]:
    """Return places in pieces, small enough that their differences of features fit into a block."""
    return np.array_split(places, len(places) * width // BLOCK_ENTRIES + 1)


def _direct(a: Features, b: Features) -> Float[np.ndarray, " images"]:
    difference = a - b
    return np.einsum("ij,ij->i", difference, difference)


@dataclass
class _Block:
    """Squared distances of a block of points to all centres: `partial` + the column's `squares`, and their error.

    The error is at most `row_slack` + the column's `column_slack`.
    """

    partial: Float[np.ndarray, "block references"]
    squares: Float[np.ndarray, " references"]
    row_slack: float
    column_slack: Float[np.ndarray, " references"]

    def at_most(self, radii: Float[np.ndarray, " references"]) -> tuple[np.ndarray, np.ndarray]:
        """Return where a distance is surely, and where it may be, at most the column's radius."""
        limit, slack = radii - self.squares, self.row_slack + self.column_slack
        return self.partial <= self._rounded(limit - slack, -np.inf), self.partial <= self._rounded(
            limit + slack, np.inf
        )

    def distance(self, row: np.ndarray, column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the distances of some pairs in float64, and their errors."""
        return self.partial[row, column] + self.squares[column], self.row_slack + self.column_slack[column]

    def among_nearest(self, count: int) -> Bool[np.ndarray, "block references"]:
        """Return which columns may be among the row's `count` nearest."""
        upper = self.partial + self._rounded(self.squares + self.column_slack, np.inf)
        limit = _reached_by(upper, count).astype(np.float64) + 2 * (self.row_slack + self.column_slack.max())
        return upper <= self._rounded(limit, np.inf)

    def _rounded(self, values: np.ndarray, towards: float) -> np.ndarray:
        kind = self.partial.dtype.type
        return np.nextafter(values.astype(kind), kind(towards))


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
        self.precisions = (np.float32, np.float64) if 1e-20 < largest < 1e30 else (np.float64,)
        self._prepared = None

    def block(self, start: int, precision: type) -> _Block:
        if precision is not self._prepared:
            self._prepare(precision)
        rows = self.points[start : start + self.size] - self.origin
        squares = np.einsum("ij,ij->i", rows, rows)
        if self._symmetric is None:
            partial = (-2 * rows).astype(precision) @ self._columns.T
        else:
            partial = -2 * self._symmetric[start : start + self.size]
        partial += squares.astype(precision)[:, None]
        # The bound has half an epsilon for each of the d products and sums, with |a||b| <= (|a|^2 + |b|^2) / 2 (Higham
        # 2002, section 3.1), for rounding a and b, and for what is added. The float64 differences add the same again.
        width, exact = rows.shape[1], np.finfo(np.float64).eps
        unit = (1.01 * width + 32) * np.finfo(precision).eps / 2 + 2 * (width + 2) * exact
        floor = 32 * exact * float(self.origin @ self.origin) + width * float(np.finfo(precision).tiny)
        return _Block(partial, self.squares, unit * float(squares.max()) + floor, unit * self.squares)

    def _prepare(self, precision: type) -> None:
        self._prepared = precision
        if precision is np.float64:
            self.precisions = (np.float64,)  # if one block needed it, the next ones will too
        self._columns = np.concatenate([(part - self.origin).astype(precision) for part in self._chunks(self.centres)])
        whole = self.points is self.centres and len(self.centres) ** 2 <= SYMMETRIC_ENTRIES and precision is np.float32
        self._symmetric = self._columns @ self._columns.T if whole else None

    def _squares(self, part: np.ndarray) -> np.ndarray:
        return _direct(part, self.origin[None])

    @staticmethod
    def _chunks(x: np.ndarray) -> list[np.ndarray]:
        return np.array_split(x, x.size // BLOCK_ENTRIES + 1)
