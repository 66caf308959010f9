"""Coverage: the share of reference images with a generated image in their neighbourhood.

A neighbourhood is the ball around a reference image that reaches to its k-th nearest other reference image. The
boundary is included (`<=`, as in precision and recall here; the authors' prdc has `<`, which differs only if distances
are tied). Unlike recall's, these balls do not depend on the generated images, so outliers among these cannot raise it.
Range: 0 to 1. It grows with the number of generated images: n images that are distributed like the m reference
images are expected to reach 1 - product over i = 0 .. k - 1 of (m - 1 - i) / (n + m - 1 - i), 0.97 for n = m
and k = 5. It is comparable only at equal n and m.
Source: Naeem et al. 2020, "Reliable fidelity and diversity metrics for generative models", section 3; k = 5 as in
their experiments.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Int

from diffbench.base.records import Estimate
from diffbench.metrics._features import Features, FeatureSet, References
from diffbench.metrics._intervals import all_and_halves, share_of_covered
from diffbench.metrics._neighbours import ENOUGH, NeighbourMetric, nearest_others, within


@dataclass(frozen=True)
class Coverage(NeighbourMetric):
    """k-nearest-neighbour coverage on one array of features.

    num_reference: how many reference images are to be covered, from the first on; null takes all.
    """

    k: int = 5

    label: ClassVar[str] = "Coverage"
    higher_is_better: ClassVar[bool] = True
    consumes: ClassVar[str] = "features"

    def __call__(self, generated: FeatureSet, reference: FeatureSet) -> Estimate:
        """Return coverage with the interval of its jackknife over the generated images, calibrated at half of them."""
        x, y = self.pair(generated, reference)
        subsets = all_and_halves(x)
        return share_of_covered(len(y), *_leave_one_out(x, y, self.k, subsets), subsets)


def coverage(generated: Features, reference: References, k: int = 5) -> float:
    """Return the share of reference images that have a generated image in their ball.

    Raises: UserError for fewer than k + 2 images, unequal widths or values that are not finite.
    """
    return Coverage(k=k)({"pool": generated}, {"pool": reference}).value


def _leave_one_out(
    x: Features, y: References, k: int, subsets: Bool[np.ndarray, "subsets generated"]
) -> tuple[Int[np.ndarray, " subsets"], Int[np.ndarray, "subsets generated"]]:
    """Return how many reference images each subset covers, and the change without each image, from one pass.

    The balls do not change. So exactly those reference images are lost without image l that only l covers.
    """
    radii = nearest_others(y, k)[1][:, -1]
    counts = np.zeros(len(y), np.int64)
    image, ball = np.empty(0, np.int64), np.empty(0, np.int64)
    for start, inside in within(x, y, radii):
        counts += inside.sum(axis=0)
        row, column = np.nonzero(inside & (counts < ENOUGH))
        few = counts[ball] < ENOUGH
        image, ball = np.concatenate([image[few], start + row]), np.concatenate([ball[few], column])
    held = int((counts >= ENOUGH).sum())
    covered, changes = np.zeros(len(subsets), np.int64), np.zeros(subsets.shape, np.int64)
    for s, own in enumerate(subsets):
        members, balls = image[own[image]], ball[own[image]]
        count = np.bincount(balls, minlength=len(y))
        covered[s] = held + (count > 0).sum()
        changes[s] = -np.bincount(members[count[balls] == 1], minlength=len(x))
    return covered, changes
