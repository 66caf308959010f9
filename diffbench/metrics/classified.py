"""Classified: the share of generated images that a classifier assigns to one class with confidence.

It is a simple check of samples. Compare it with the row of real images: noise and blends of two classes are not
classified. It says nothing about variety.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from diffbench.base.errors import UserError
from diffbench.base.records import Estimate
from diffbench.metrics._features import FeatureSet, feature
from diffbench.metrics._intervals import share
from diffbench.metrics.inception_score import log_softmax


@dataclass(frozen=True)
class Classified:
    """The share of images whose largest class probability exceeds `confidence`."""

    features: str = "logits"
    """the array of features that it takes."""
    confidence: float = 0.9
    """the class probability from which an image counts."""

    label: ClassVar[str] = "Classified"
    higher_is_better: ClassVar[bool] = True
    consumes: ClassVar[str] = "features"
    needs_reference: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 0 < self.confidence < 1:
            raise UserError(f"confidence = {self.confidence}, wanted a probability between 0 and 1")

    def __call__(self, generated: FeatureSet, reference: FeatureSet) -> Estimate:
        """Return the share with Wilson's interval; the reference is not used."""
        logits = feature(generated, self.features, side="generated")
        return share(log_softmax(logits).max(axis=1) > np.log(self.confidence))
