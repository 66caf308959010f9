"""FID-infinity: FID extrapolated to infinitely many generated images.

FID of n images exceeds the distance of their distribution by about b / n. As b depends on the model, FID may rank
models wrongly even at equal n. Here FID is computed at n = N, N / 2, ..., N / points. A line in 1/n is fitted to these
values by least squares, and is read at 1/n = 0.

The authors draw one subset for each n. Here FID at N / K is the mean over the K blocks of a partition of all images.
Its first order in the images is then the same for every K, and only the second order, which carries the bias,
differs. A fixed generator draws the partitions from the images in the order of a digest of their features, so that
neither a seed nor the order of images matters. Features that differ by rounding draw other partitions; the interval
covers this noise. More points do not lower the variance, but they bend the line: n near the number of dimensions has a
bias in 1/n^2 too. So the default has few points, while the authors take 15 down to N / 10.

Range: 0 and up in expectation; a good model's estimate may be slightly negative. The bias from the number of reference
images stays: it belongs to the reference, as in FID.
Source: Chong and Forsyth 2020, "Effectively unbiased FID and Inception Score and where to find them".
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from diffbench.base.errors import UserError
from diffbench.base.records import Estimate
from diffbench.metrics._features import Features, FeatureSet, References, feature, same_width
from diffbench.metrics._frechet import Normal, distance, measured
from diffbench.metrics._intervals import canonical_order, student
from diffbench.metrics.fid import reference_normal

SEED = 0
"""The seed of the partitions. It is fixed, because only the images themselves may make a score random."""


@dataclass(frozen=True)
class FidInfinity:
    """The Frechet distance without its bias in n. The reference may be `mu` and `sigma`, as ADM publishes it.

    points: at how many numbers of images FID is computed. It costs 1 + 2 + ... + points distances.
    """

    features: str = "pool"
    """the array of features that it takes."""
    points: int = 3

    label: ClassVar[str] = "FID-infinity"
    higher_is_better: ClassVar[bool] = False
    consumes: ClassVar[str] = "features"
    takes_moments: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.points < 2:
            raise UserError(f"points = {self.points}, at least 2 are allowed: a line needs two")

    def fewest_of(self, width: int) -> int:
        """Return how many generated images it needs, so that each block has more images than features."""
        return self.points * (width + 2)

    def __call__(self, generated: FeatureSet, reference: FeatureSet) -> Estimate:
        """Return the intercept with an interval for its expectation over generated images, given the reference.

        Raises: UserError if a block has fewer images than features + 2, because its bias would not be near b / n.
        """
        x = feature(generated, self.features, side="generated")
        normal = reference_normal(reference, self.features)
        same_width(self.features, x.shape[1], len(normal.mean))
        needed = self.fewest_of(x.shape[1])
        if len(x) < needed:
            raise UserError(
                f"generated features '{self.features}': {len(x)} images, but {needed} are needed for "
                f"{x.shape[1]} dimensions and points = {self.points}; make more, or lower points"
            )
        value = float(_intercept_weights(self.points) @ _curve(x, normal, self.points))
        return student(value, *_variance(x, normal))


def fid_infinity(generated: Features, reference: References, points: int = 3) -> float:
    """Return FID extrapolated to infinitely many generated images.

    Raises: UserError for too few images, unequal widths or values that are not finite.
    """
    return FidInfinity(points=points)({"pool": generated}, {"pool": reference}).value


def _curve(x: Features, reference: Normal, points: int) -> Float[np.ndarray, " points"]:
    """Return the mean FID of the K blocks of a partition, for K = 1 .. points."""
    x = x[canonical_order(x)]
    draws = np.random.Generator(np.random.PCG64(SEED))
    means = np.empty(points)
    for k in range(1, points + 1):
        blocks = np.array_split(draws.permutation(len(x)), k)
        means[k - 1] = np.mean([distance(Normal.of_images(x[block]), reference) for block in blocks])
    return means


def _intercept_weights(points: int) -> Float[np.ndarray, " points"]:
    """Return the weights w with intercept = w . FID: least squares in 1/n = K / N, in which N cancels."""
    design = np.stack([np.ones(points), np.arange(1, points + 1)], axis=1)
    return np.linalg.pinv(design)[0]


def _variance(x: Features, reference: Normal) -> tuple[float, Float[np.ndarray, " images"]]:
    """Return the variance of the intercept, from that of FID at N, and FID's influence values.

    FID's variance is var L + var Q (see _intervals). The weights sum to 1, so L does not change. The quadratic part of
    the mean over K blocks is K / N^2 times the sum of q_ij over pairs in one block. With independent partitions that
    makes var Q (1 + sum_K w_K^2 (K - 1)), which for the weights of a line is 2 var Q at any number of points.
    """
    found = measured(x, reference)
    return max(found.variance - found.second_order, 0.0) + 2 * found.second_order, found.influence
