"""Recall: the share of reference images that are within the manifold of the generated images.

The manifold is the union of balls around the generated images. Each ball reaches to the k-th nearest other
generated image and includes its boundary (`<=`). The reference may have another size than the generated set. Radii
shrink with the number of generated images, so recall is comparable only at equal numbers.
Source: Kynkaanniemi et al. 2019, "Improved precision and recall metric", eq. 2; k = 3 and `<=` as ADM's
evaluator.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Int

from diffbench.base.records import Estimate
from diffbench.metrics._distances import Block
from diffbench.metrics._features import Features, References
from diffbench.metrics._intervals import all_and_halves, share_of_covered
from diffbench.metrics._manifolds import GeneratedBalls
from diffbench.metrics._neighbours import LevelsOf, nearest_others


@dataclass(frozen=True)
class Recall(GeneratedBalls):
    """k-nearest-neighbour recall on one array of features.

    num_reference: how many reference images are to be covered, from the first on (ADM takes 10,000); null takes all.
    """

    label: ClassVar[str] = "Recall"
    higher_is_better: ClassVar[bool] = True
    consumes: ClassVar[str] = "features"

    def tally(self, x: Features, y: References) -> "_Covered":
        """Return what counts the reference images that are in a ball."""
        return _Covered(x, y, self.k, all_and_halves(x))


def recall(generated: Features, reference: References, k: int = 3) -> float:
    """Return the share of reference images inside the generated manifold.

    Raises: UserError for fewer than k + 2 images, unequal widths or values that are not finite.
    """
    return Recall(k=k)({"pool": generated}, {"pool": reference}).value


class _Covered:
    """How many reference images each subset of generated images covers, and the change without each image.

    Within a subset a ball reaches to the k-th nearest of the subset's members. The list of the 4 k + 12 nearest images
    holds that member and the next one, except for 3 images in 10,000 of a half (a binomial tail). Their balls reach to
    the end of the list.
    """

    def __init__(self, x: Features, y: References, k: int, subsets: Bool[np.ndarray, "subsets generated"]):
        neighbours, squared = nearest_others(x, min(4 * k + 12, len(x) - 1), exact=k + 1)
        self._balls = [_balls(neighbours, own, k) for own in subsets]
        self._levels = LevelsOf(y, x, squared, k, self.take)
        self.total, self.subsets = len(y), subsets
        self.covered, self.changes = np.zeros(len(subsets), np.int64), np.zeros(subsets.shape, np.int64)

    def read(self, start: int, block: Block) -> bool:
        """Count the reference images of a block, as a reader of pairs."""
        return self._levels.read(start, block)

    def take(
        self,
        held: Bool[np.ndarray, " block"],
        row: Int[np.ndarray, " pairs"],
        column: Int[np.ndarray, " pairs"],
        level: Int[np.ndarray, " pairs"],
    ) -> None:
        """Count the reference images of a block from its pairs."""
        for s, own in enumerate(self.subsets):
            part = own[column]
            count, change = _covered(len(held), row[part], column[part], level[part], *self._balls[s])
            self.covered[s] += held.sum() + count
            self.changes[s] += change

    def estimate(self) -> Estimate:
        """Return recall with the interval of its jackknife over the generated images, calibrated at half of them."""
        return share_of_covered(self.total, self.covered, self.changes, self.subsets)


def _balls(
    neighbours: Int[np.ndarray, "images nearest"], own: Bool[np.ndarray, " images"], k: int
) -> tuple[Int[np.ndarray, "images k"], Int[np.ndarray, " images"], Int[np.ndarray, " images"]]:
    """Return each image's k nearest members of a subset, and the places of the k-th and the next in its list."""
    places = np.argsort(~own[neighbours], axis=1, kind="stable")[:, : k + 1]
    return np.take_along_axis(neighbours, places[:, :k], axis=1), places[:, k - 1] + 1, places[:, k] + 1


def _covered(
    size: int,
    row: Int[np.ndarray, " pairs"],
    column: Int[np.ndarray, " pairs"],
    level: Int[np.ndarray, " pairs"],
    members: Int[np.ndarray, "images k"],
    reach: Int[np.ndarray, " images"],
    grown: Int[np.ndarray, " images"],
) -> tuple[int, Int[np.ndarray, " images"]]:
    """Return how many reference images the balls cover, and the change without each image.

    Without image l, its ball is gone, and the balls of those that have l among their k nearest grow to
    the next neighbour. So only two kinds of reference images can change: those in no ball and those in one ball. Of the
    grown balls, only the rim matters.
    """
    n, k = members.shape
    inside = level <= reach[column]
    rim = ~inside & (level <= grown[column])
    count = np.bincount(row[inside], minlength=size)
    # In no ball: gained without l if l keeps a ball from growing to the reference image, which is on its rim.
    gained = rim & (count[row] == 0)
    pairs = np.unique(np.repeat(row[gained], k) * n + members[column[gained]].ravel())
    change = np.bincount(pairs % n, minlength=n)
    # Only in the ball of l: lost without l, unless a ball that l kept from growing takes over.
    owner, kept = np.zeros(size, np.int64), np.zeros(size, bool)
    owner[row[inside]] = column[inside]
    taken = row[rim]
    kept[taken[(members[column[rim]] == owner[taken, None]).any(axis=1)]] = True
    lost = np.flatnonzero((count == 1) & ~kept)
    return int((count > 0).sum()), change - np.bincount(owner[lost], minlength=n)
