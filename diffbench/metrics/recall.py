"""Recall: the share of reference images that lie within the generated images' manifold.

The manifold is the union of balls around the generated images, each reaching to its k-th nearest other
generated image, the boundary included (`<=`). The reference may have another size than the generated set:
radii shrink with the number of generated images, so recall is comparable at equal numbers only.
Source: Kynkaanniemi et al. 2019, "Improved precision and recall metric", eq. 2; k = 3 and `<=` as ADM's
evaluator.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from diffbench.base.records import Estimate
from diffbench.metrics._features import Features, FeatureSet, References
from diffbench.metrics._intervals import Z
from diffbench.metrics._neighbours import NeighbourMetric, nearest, within


@dataclass(frozen=True)
class Recall(NeighbourMetric):
    """k-nearest-neighbour recall on one array of features.

    num_reference: the first so many reference images make the manifold (ADM's evaluator takes 10,000); null takes all.
    """

    label: ClassVar[str] = "Recall"
    higher_is_better: ClassVar[bool] = True
    consumes: ClassVar[str] = "features"

    def __call__(self, generated: FeatureSet, reference: FeatureSet) -> Estimate:
        """Return recall with the interval of its jackknife over the generated images."""
        x, y = self.pair(generated, reference)
        value, without = _leave_one_out(x, y, self.k)
        n = len(x)
        variance = (n - 1) * float(without.var())
        margin = Z * math.sqrt(variance)
        return Estimate(value, max(0.0, value - margin), min(1.0, value + margin))


def recall(generated: Features, reference: References, k: int = 3) -> float:
    """Return the share of reference images inside the generated manifold.

    Raises: UserError for fewer than k + 2 images, unequal widths or values that are not finite.
    """
    return Recall(k=k)({"pool": generated}, {"pool": reference}).value


def _leave_one_out(x: Features, y: References, k: int) -> tuple[float, Float[np.ndarray, " generated"]]:
    """Return recall and its value without each generated image, from one pass over the distances.

    Without image l, its ball is gone, and the balls of those that have l among their k nearest grow to
    the next neighbour. So the only reference images to look at are those in no ball or in one ball, and
    of the grown balls only the rim.
    """
    n, m = len(x), len(y)
    neighbours, squared = nearest(x, k + 1)
    neighbours = neighbours[:, :k]
    covered, change = 0, np.zeros(n)
    for _, (inside, grown) in within(y, x, squared[:, k - 1], squared[:, k]):
        count = inside.sum(axis=1)
        covered += int((count > 0).sum())
        rim = grown & ~inside
        # In no ball: gained without l if l holds back a ball on whose rim the reference image lies.
        j, i = np.nonzero(rim & (count == 0)[:, None])
        pairs = np.unique(np.repeat(j, k) * n + neighbours[i].ravel())
        np.add.at(change, pairs % n, 1)
        # In the ball of l alone: lost without l, unless a ball that l holds back takes over.
        only = np.flatnonzero(count == 1)
        owner = inside[only].argmax(axis=1)
        row, i = np.nonzero(rim[only])
        kept = np.zeros(len(only), bool)
        kept[row[(neighbours[i] == owner[row, None]).any(axis=1)]] = True
        np.subtract.at(change, owner[~kept], 1)
    return covered / m, (covered + change) / m
