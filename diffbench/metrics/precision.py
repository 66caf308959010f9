"""Precision: the share of generated images that lie within the reference images' manifold.

The manifold is the union of balls around the reference images, each reaching to its k-th nearest other
reference image, the boundary included (`<=`). Generated images are independent given the reference, so the
interval is a proportion's.
Source: Kynkaanniemi et al. 2019, "Improved precision and recall metric", eq. 2; k = 3 and `<=` as ADM's
evaluator.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from diffbench.base.errors import UserError
from diffbench.base.records import Estimate
from diffbench.metrics._features import Features, FeatureSet, References, feature_pair
from diffbench.metrics._intervals import share
from diffbench.metrics._neighbours import nearest, within


@dataclass(frozen=True)
class Precision:
    """k-nearest-neighbour precision on one array of features.

    num_reference: the first so many reference images make the manifold (ADM's evaluator takes 10,000); null takes all.
    """

    features: str = "pool"
    k: int = 3
    num_reference: int | None = None

    label: ClassVar[str] = "Precision"
    higher_is_better: ClassVar[bool] = True
    consumes: ClassVar[str] = "features"

    def __post_init__(self) -> None:
        if self.k < 1:
            raise UserError(f"k = {self.k}, at least 1 is allowed")
        if self.num_reference is not None and self.num_reference < self.k + 2:
            raise UserError(f"num_reference = {self.num_reference}, at least k + 2 = {self.k + 2} is allowed")

    def __call__(self, generated: FeatureSet, reference: FeatureSet) -> Estimate:
        """Return precision with Wilson's interval over the generated images."""
        x, y = feature_pair(generated, reference, self.features, at_least=self.k + 2)
        y = y[: self.num_reference]
        radii = nearest(y, self.k)[1][:, -1]
        return share(np.concatenate([inside.any(axis=1) for _, (inside,) in within(x, y, radii)]))


def precision(generated: Features, reference: References, k: int = 3) -> float:
    """Return the share of generated images inside the reference manifold.

    Raises: UserError for fewer than k + 2 images, unequal widths or values that are not finite.
    """
    return Precision(k=k)({"pool": generated}, {"pool": reference}).value
