"""Density: how many reference images' neighbourhoods hold a generated image, on average, divided by k.

A neighbourhood is the ball around a reference image that reaches to its k-th nearest other reference image. Each
generated image counts once for each ball that holds it. So a lone outlier among the reference images, whose ball is
large, adds 1 / k at most; precision would count the image in full.
Range: 0 to the number of reference images / k. Reference images themselves are in k balls of others on average, so
perfect images have about 1. It is more than 1 if images crowd at the reference's modes, which is not a good sign.
Balls include their boundary (`<=`), as those of precision and recall here; the authors' prdc has `<`, which
differs only if distances are tied.
Source: Naeem et al. 2020, "Reliable fidelity and diversity metrics for generative models", section 3; k = 5 as in
their experiments.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Int

from diffbench.base.records import Estimate
from diffbench.metrics._features import Features, References
from diffbench.metrics._intervals import mean_variance, share, student
from diffbench.metrics._manifolds import ReferenceBalls


@dataclass(frozen=True)
class Density(ReferenceBalls):
    """k-nearest-neighbour density on one array of features.

    num_reference: how many reference images have balls, from the first on; null takes all.
    """

    k: int = 5

    label: ClassVar[str] = "Density"
    higher_is_better: ClassVar[bool] = True
    consumes: ClassVar[str] = "features"

    def tally(self, x: Features, y: References) -> "_BallsOfEach":
        """Return what counts the balls that each generated image is in."""
        return _BallsOfEach(np.zeros(len(x), np.int64), self.k)


def density(generated: Features, reference: References, k: int = 5) -> float:
    """Return the mean number of reference balls that hold a generated image, divided by k.

    Raises: UserError for fewer than k + 2 images, unequal widths or values that are not finite.
    """
    return Density(k=k)({"pool": generated}, {"pool": reference}).value


@dataclass(frozen=True)
class _BallsOfEach:
    """How many balls of the reference images each generated image is in so far."""

    balls: Int[np.ndarray, " generated"]
    k: int

    def take(self, start: int, inside: Bool[np.ndarray, "block generated"]) -> None:
        np.add(self.balls, inside.sum(axis=0), out=self.balls)

    def estimate(self) -> Estimate:
        """Return density with the interval of a mean over generated images, which are independent given the reference.

        If no image is in a ball, that interval would be [0, 0]. Its upper end is then Wilson's for the share of images
        in some ball, each of them counted with the reference's own density, 1.
        """
        balls = self.balls
        if not balls.any():
            return share(balls > 0)
        found = student(float(balls.mean()) / self.k, mean_variance(balls / self.k), balls / self.k)
        return replace(found, low=max(0.0, found.low))
