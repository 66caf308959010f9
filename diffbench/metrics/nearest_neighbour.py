"""Nearest-neighbour distance: how far generated images are from the nearest training image, relative to how far
training images are from each other.

mean over generated x of min_t |x - t|, divided by the mean over training images t of min_{s != t} |t - s|.
The reference must be the training split; otherwise it says nothing about memorisation.
Range: 0 and up. 0: each image is a copy. New images of the training images' distribution are expected near 1 (a little
below, because they have one image more to be near to). Below 1 suggests memorisation. Above 1 suggests images off the
data, for example noisy ones, so higher is better only up to 1. As a mean, it hardly moves for a few copies among many
images.
Source: Yale et al. 2020, "Generation and evaluation of privacy preserving synthetic health data", compare nearest
distances from generated to training with those from training to training (d_TS against d_TT). Meehan et al. 2020, "A
non-parametric test to detect data-copying in generative models", compare with a held-out split by ranks. Here the
ratio of their means compares the two, which needs no third split.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from diffbench.base.errors import UserError
from diffbench.base.records import Estimate
from diffbench.metrics._features import Features, FeatureSet, References, feature_pair
from diffbench.metrics._intervals import mean_variance, share, student
from diffbench.metrics._neighbours import nearest, nearest_others


@dataclass(frozen=True)
class NearestNeighbour:
    """Mean Euclidean distance to the nearest training image, relative to the distance between training images."""

    features: str = "pool"
    """the array of features that it takes."""

    label: ClassVar[str] = "NN distance"
    higher_is_better: ClassVar[bool] = True
    consumes: ClassVar[str] = "features"

    def __call__(self, generated: FeatureSet, reference: FeatureSet) -> Estimate:
        """Return the ratio with the interval of a mean over generated images; the divisor is the reference's.

        Raises: UserError if every reference image has a copy among the others, because the divisor is then 0.
        If every generated image is a copy, the upper end is Wilson's for the share of new images, each counted with the
        distance 1.
        """
        x, y = feature_pair(generated, reference, self.features)
        unit = float(np.sqrt(nearest_others(y, 1)[1]).mean())
        if unit == 0:
            raise UserError(
                f"reference features '{self.features}': each image has a copy among the others, so there is no "
                "distance to compare with; take a reference without repeats"
            )
        distances = np.sqrt(nearest(x, y, 1)[1][:, 0]) / unit
        if not distances.any():
            return share(distances > 0)
        found = student(float(distances.mean()), mean_variance(distances), distances)
        return replace(found, low=max(0.0, found.low))


def nearest_neighbour(generated: Features, reference: References) -> float:
    """Return the mean distance to the nearest reference image, relative to that between reference images.

    Raises: UserError for fewer than two images, unequal widths or values that are not finite.
    """
    return NearestNeighbour()({"pool": generated}, {"pool": reference}).value
