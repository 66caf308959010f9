"""Samples with the training images that are nearest to them, as the figure of neighbours shows them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from diffbench.figures._pictures import ImageSet, Pictures


@dataclass(frozen=True)
class Nearest:
    """The training images that are nearest to each sample by one measure, the nearest first.

    measure: what is compared ("features", "pixels"). explained: what its distances are, in words. usual: the median
    distance of a training image to the nearest other one; None if it is not known.
    """

    measure: str
    explained: str
    images: UInt8[np.ndarray, "samples neighbours height width channels"]
    distances: Float[np.ndarray, "samples neighbours"]
    usual: float | None = None


@dataclass(frozen=True)
class Neighbours:
    """Samples, and what is nearest to them by each measure that could be computed.

    searched, of: how many training images were compared, and how many there are. missing: measures that could not be
    computed, with the reason.
    """

    samples: ImageSet
    labels: np.ndarray | None
    measures: Sequence[Nearest]
    searched: int
    of: int
    missing: Sequence[str] = ()

    @property
    def pictures(self) -> Pictures:
        """The samples with their classes."""
        return Pictures(self.samples, self.labels)
