"""Coverage: the share of reference images with a generated image in their neighbourhood.

A neighbourhood is the ball around a reference image that reaches to its k-th nearest other reference image,
the boundary included (`<=`, as in precision and recall here; the authors' prdc has `<`, which differs only where
distances are tied). Unlike recall's, these balls do not depend on the generated images, whose outliers therefore
cannot raise it.
Range: 0 to 1. It grows with the number of generated images: n images that are distributed like the m reference
images are expected to reach 1 - product over i = 0 .. k - 1 of (m - 1 - i) / (n + m - 1 - i), 0.97 for n = m
and k = 5. It is comparable at equal n and m only.
Source: Naeem et al. 2020, "Reliable fidelity and diversity metrics for generative models", section 3; k = 5 as in
their experiments.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from diffbench.base.records import Estimate
from diffbench.metrics._features import Features, FeatureSet, References
from diffbench.metrics._intervals import Z, share
from diffbench.metrics._neighbours import NeighbourMetric, nearest, within


@dataclass(frozen=True)
class Coverage(NeighbourMetric):
    """k-nearest-neighbour coverage on one array of features.

    num_reference: the first so many reference images are to be covered; null takes all.
    """

    k: int = 5

    label: ClassVar[str] = "Coverage"
    higher_is_better: ClassVar[bool] = True
    consumes: ClassVar[str] = "features"

    def __call__(self, generated: FeatureSet, reference: FeatureSet) -> Estimate:
        """Return coverage with the interval of its jackknife over the generated images.

        It is conservative (Efron and Stein 1981): images that share a region are each credited with covering it.
        Where no reference image hangs on one generated image alone, the jackknife sees no variance; the interval
        is then Wilson's for as many independent images as the smaller set has.
        """
        x, y = self.pair(generated, reference)
        value, without = _leave_one_out(x, y, self.k)
        variance = (len(x) - 1) * float(without.var())
        if variance == 0:
            trials = min(len(x), len(y))
            wilson = share(np.arange(trials) < round(value * trials))
            return Estimate(value, min(value, wilson.low), max(value, wilson.high))
        margin = Z * math.sqrt(variance)
        return Estimate(value, max(0.0, value - margin), min(1.0, value + margin))


def coverage(generated: Features, reference: References, k: int = 5) -> float:
    """Return the share of reference images that have a generated image in their ball.

    Raises: UserError for fewer than k + 2 images, unequal widths or values that are not finite.
    """
    return Coverage(k=k)({"pool": generated}, {"pool": reference}).value


def _leave_one_out(x: Features, y: References, k: int) -> tuple[float, Float[np.ndarray, " generated"]]:
    """Return coverage and its value without each generated image, from one pass over the distances.

    The balls stay as they are, so without image l exactly those reference images are lost that l alone covers.
    """
    radii = nearest(y, k)[1][:, -1]
    counts, last = np.zeros(len(y), np.int64), np.zeros(len(y), np.int64)
    for start, (inside,) in within(x, y, radii):
        found = inside.sum(axis=0)
        counts += found
        last[found > 0] = start + inside.argmax(axis=0)[found > 0]  # of a ball with one image, that image
    covered = int((counts > 0).sum())
    lost = np.bincount(last[counts == 1], minlength=len(x))
    return covered / len(y), (covered - lost) / len(y)
