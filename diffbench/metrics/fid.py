"""FID: the Frechet distance between normal distributions that are fitted to features of generated and reference images.

d^2 = |mu_1 - mu_2|^2 + tr Sigma_1 + tr Sigma_2 - 2 tr (Sigma_1 Sigma_2)^(1/2)

Covariances are unbiased (n - 1) and float64.
Source: Heusel et al. 2017, "GANs trained by a two time-scale update rule", eq. 6; Dowson and Landau 1982.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from diffbench.base.errors import UserError
from diffbench.base.records import Estimate
from diffbench.metrics._features import STORED_MOMENTS, Features, FeatureSet, References, same_width, stored_feature
from diffbench.metrics._frechet import Matrix, Normal, Vector, distance, measured
from diffbench.metrics._intervals import student
from diffbench.metrics._moments import moments as moments


@dataclass(frozen=True)
class Fid:
    """The Frechet distance on one array. A reference may store the moments, as ADM's batches do."""

    features: str = "pool"
    """the array of features that it takes."""

    label: ClassVar[str] = "FID"
    higher_is_better: ClassVar[bool] = False
    consumes: ClassVar[str] = "features"
    takes_moments: ClassVar[bool] = True

    def __call__(self, generated: FeatureSet, reference: FeatureSet) -> Estimate:
        """Return FID with the interval of its influence function over the generated images."""
        x = stored_feature(generated, self.features, side="generated")
        normal = reference_normal(reference, self.features)
        same_width(self.features, x.shape[1], len(normal.mean))
        found = measured(x, normal)
        return student(found.value, found.variance, found.influence)


def fid(generated: Features, reference: References) -> float:
    """Return the Frechet distance between the features of two image sets.

    Raises: UserError for fewer than two images, unequal widths or values that are not finite.
    """
    return Fid()({"pool": generated}, {"pool": reference}).value


def frechet_distance(mu1: Vector, sigma1: Matrix, mu2: Vector, sigma2: Matrix) -> float:
    """Return the squared Frechet (2-Wasserstein) distance between two normal distributions.

    Raises: UserError if a matrix is not a covariance.
    """
    return distance(Normal.of_moments(mu1, sigma1), Normal.of_moments(mu2, sigma2))


def reference_normal(reference: FeatureSet, name: str) -> Normal:
    """Return the normal of a reference: that of its stored moments, which are of more images than it holds, or its own.

    Raises: UserError if there are neither, or if the stored ones are not a mean and a covariance.
    """
    stored = STORED_MOMENTS.get(name, ())
    if not stored or not set(stored) <= set(reference):
        return Normal.of_images(stored_feature(reference, name, side="reference"))
    mu, sigma = (np.asarray(reference[key], np.float64) for key in stored)
    finite = np.isfinite(mu).all() and np.isfinite(sigma).all()
    if mu.ndim != 1 or sigma.shape != (len(mu), len(mu)) or not finite:
        raise UserError(f"reference: {stored[0]}{mu.shape} and {stored[1]}{sigma.shape} are not a mean and covariance")
    try:
        return Normal.of_moments(mu, sigma)
    except UserError as error:
        raise UserError(f"reference: {stored[1]}: {error}") from None
