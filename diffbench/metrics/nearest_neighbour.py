"""Nearest-neighbour distance: how far generated images are from the nearest training image, in units of how far
training images are from each other.

mean over generated x of min_t |x - t|, divided by the mean over training images t of min_{s != t} |t - s|.
The reference must be the training split, or it says nothing about memorisation.
Range: 0 and up. 0: each image is a copy. New images of the training images' distribution are expected at 1 (but
for one image more to be near to). Below 1 suggests memorisation; above 1 images off the data, for example noisy
ones, so that higher is better only up to 1. Being a mean, it barely moves for a few copies among many images.
Source: the comparison of generated-to-training with training-to-training nearest distances is Yale et al. 2020,
"Generation and evaluation of privacy preserving synthetic health data" (d_TS against d_TT); Meehan et
al. 2020, "A non-parametric test to detect data-copying in generative models", compare with a held-out split
by ranks. Here the two are compared by the ratio of their means, which needs no third split.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from diffbench.base.errors import UserError
from diffbench.base.records import Estimate
from diffbench.metrics._features import Features, FeatureSet, References, feature_pair
from diffbench.metrics._intervals import Z, mean_variance, share
from diffbench.metrics._neighbours import _blocks, _direct, nearest


@dataclass(frozen=True)
class NearestNeighbour:
    """Mean Euclidean distance to the nearest training image, relative to the training images' own."""

    features: str = "pool"

    label: ClassVar[str] = "NN distance"
    higher_is_better: ClassVar[bool] = True
    consumes: ClassVar[str] = "features"

    def __call__(self, generated: FeatureSet, reference: FeatureSet) -> Estimate:
        """Return the ratio with the interval of a mean over generated images; the divisor is the reference's.

        Raises: UserError where every reference image has a copy among the others, so that the divisor is 0.
        Where every generated image is a copy, the upper end is Wilson's for the share of new images, each counted
        with the distance 1.
        """
        x, y = feature_pair(generated, reference, self.features)
        unit = float(np.sqrt(nearest(y, 1)[1]).mean())
        if unit == 0:
            raise UserError(
                f"reference features '{self.features}': each image has a copy among the others, so there is no "
                "distance to compare with; take a reference without repeats"
            )
        distances = _distances(x, y) / unit
        if not distances.any():
            return share(distances > 0)
        value, margin = float(distances.mean()), Z * math.sqrt(mean_variance(distances))
        return Estimate(value, max(0.0, value - margin), value + margin)


def nearest_neighbour(generated: Features, reference: References) -> float:
    """Return the mean distance to the nearest reference image, relative to the reference images' own.

    Raises: UserError for fewer than two images, unequal widths or values that are not finite.
    """
    return NearestNeighbour()({"pool": generated}, {"pool": reference}).value


def _distances(x: Features, y: References) -> Float[np.ndarray, " images"]:
    """Return each generated image's distance to its nearest reference image, exactly 0 for a copy."""
    indices = np.concatenate([squared.argmin(axis=1) for _, squared, _ in _blocks(x, y)])
    return np.sqrt(_direct(x, y[indices]))
