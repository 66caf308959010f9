"""Precision: the share of generated images that are within the manifold of the reference images.

The manifold is the union of balls around the reference images. Each ball reaches to the k-th nearest other
reference image and includes its boundary (`<=`). Generated images are independent given the reference, so the
interval is that of a proportion.
Source: Kynkaanniemi et al. 2019, "Improved precision and recall metric", eq. 2; k = 3 and `<=` as ADM's
evaluator.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from diffbench.base.records import Estimate
from diffbench.metrics._features import Features, FeatureSet, References
from diffbench.metrics._intervals import share
from diffbench.metrics._neighbours import NeighbourMetric, nearest_others, within


@dataclass(frozen=True)
class Precision(NeighbourMetric):
    """k-nearest-neighbour precision on one array of features.

    num_reference: how many reference images make the manifold, from the first on (ADM takes 10,000); null takes all.
    """

    label: ClassVar[str] = "Precision"
    higher_is_better: ClassVar[bool] = True
    consumes: ClassVar[str] = "features"

    def __call__(self, generated: FeatureSet, reference: FeatureSet) -> Estimate:
        """Return precision with Wilson's interval over the generated images."""
        x, y = self.pair(generated, reference)
        radii = nearest_others(y, self.k)[1][:, -1]
        return share(np.concatenate([inside.any(axis=1) for _, inside in within(x, y, radii)]))


def precision(generated: Features, reference: References, k: int = 3) -> float:
    """Return the share of generated images inside the reference manifold.

    Raises: UserError for fewer than k + 2 images, unequal widths or values that are not finite.
    """
    return Precision(k=k)({"pool": generated}, {"pool": reference}).value
