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
from jaxtyping import Bool

from diffbench.base.records import Estimate
from diffbench.metrics._features import Features, References
from diffbench.metrics._intervals import share
from diffbench.metrics._manifolds import ReferenceBalls


@dataclass(frozen=True)
class Precision(ReferenceBalls):
    """k-nearest-neighbour precision on one array of features.

    num_reference: how many reference images make the manifold, from the first on (ADM takes 10,000); null takes all.
    """

    label: ClassVar[str] = "Precision"
    higher_is_better: ClassVar[bool] = True
    consumes: ClassVar[str] = "features"

    def tally(self, x: Features, y: References) -> "_InABall":
        """Return what counts the generated images that are in a ball."""
        return _InABall(np.zeros(len(x), bool))


def precision(generated: Features, reference: References, k: int = 3) -> float:
    """Return the share of generated images inside the reference manifold.

    Raises: UserError for fewer than k + 2 images, unequal widths or values that are not finite.
    """
    return Precision(k=k)({"pool": generated}, {"pool": reference}).value


@dataclass(frozen=True)
class _InABall:
    """Which generated images are in a ball of the reference images so far."""

    hits: Bool[np.ndarray, " generated"]

    def take(self, start: int, inside: Bool[np.ndarray, "block generated"]) -> None:
        np.logical_or(self.hits, inside.any(axis=0), out=self.hits)

    def estimate(self) -> Estimate:
        """Return the share with Wilson's interval over the generated images."""
        return share(self.hits)
