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
from jaxtyping import Bool

from diffbench.base.records import Estimate
from diffbench.metrics._features import Features, References
from diffbench.metrics._intervals import all_and_halves, share_of_covered
from diffbench.metrics._manifolds import ReferenceBalls
from diffbench.metrics._neighbours import ENOUGH


@dataclass(frozen=True)
class Coverage(ReferenceBalls):
    """k-nearest-neighbour coverage on one array of features.

    num_reference: how many reference images are to be covered, from the first on; null takes all.
    """

    k: int = 5

    label: ClassVar[str] = "Coverage"
    higher_is_better: ClassVar[bool] = True
    consumes: ClassVar[str] = "features"

    def tally(self, x: Features, y: References) -> "_Covered":
        """Return what counts the reference images whose ball holds a generated image."""
        return _Covered(all_and_halves(x))


def coverage(generated: Features, reference: References, k: int = 5) -> float:
    """Return the share of reference images that have a generated image in their ball.

    Raises: UserError for fewer than k + 2 images, unequal widths or values that are not finite.
    """
    return Coverage(k=k)({"pool": generated}, {"pool": reference}).value


class _Covered:
    """How many reference images each subset of generated images covers, and the pairs of those that few images cover.

    The balls do not change. So exactly those reference images are lost without image l that only l covers.
    """

    def __init__(self, subsets: Bool[np.ndarray, "subsets generated"]):
        self.subsets = subsets
        self.total = 0
        self.covered, self.changes = np.zeros(len(subsets), np.int64), np.zeros(subsets.shape, np.int64)

    def take(self, start: int, inside: Bool[np.ndarray, "block generated"]) -> None:
        """Count the reference images of a block."""
        few = np.flatnonzero(inside.sum(axis=1) < ENOUGH)
        ball, image = np.nonzero(inside[few])
        self.total += len(inside)
        for s, own in enumerate(self.subsets):
            members, balls = image[own[image]], ball[own[image]]
            count = np.bincount(balls, minlength=len(few))
            self.covered[s] += len(inside) - len(few) + (count > 0).sum()
            self.changes[s] -= np.bincount(members[count[balls] == 1], minlength=inside.shape[1])

    def estimate(self) -> Estimate:
        """Return coverage with the interval of its jackknife over the generated images, calibrated at half of them."""
        return share_of_covered(self.total, self.covered, self.changes, self.subsets)
