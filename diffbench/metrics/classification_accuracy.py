"""Classification accuracy: the share of labelled images to which a classifier gives the label that was asked for.

It shows what guidance gains. Compare it with the row of real images, which have their own labels. The classifier is the
extractor's, which saw no noise and guided nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Bool

from diffbench.base.errors import UserError
from diffbench.base.records import Estimate
from diffbench.metrics._features import FeatureSet, feature
from diffbench.metrics._intervals import share


@dataclass(frozen=True)
class ClassificationAccuracy:
    """The share of images whose largest logit is that of their label (features `labels`)."""

    features: str = "logits"
    """the array of features that it takes."""

    label: ClassVar[str] = "Accuracy"
    higher_is_better: ClassVar[bool] = True
    consumes: ClassVar[str] = "features"
    needs_reference: ClassVar[bool] = False
    needs_labels: ClassVar[bool] = True

    def __call__(self, generated: FeatureSet, reference: FeatureSet) -> Estimate:
        """Return the share with Wilson's interval; the reference is not used. Raises: UserError without labels."""
        right, _ = _answers(generated, self.features)
        return share(right)


def accuracy_by_class(generated: FeatureSet, features: str = "logits") -> Mapping[int, Estimate]:
    """Return the share for each class.

    Raises: UserError without labels, and if no image was asked to be of some class.
    """
    right, labels = _answers(generated, features)
    classes = np.asarray(generated[features]).shape[1]
    empty = sorted(set(range(classes)) - set(labels.tolist()))
    if empty:
        raise UserError(f"generated features: no image has label {empty[0]}; make more images, or labels: balanced")
    return {k: share(right[labels == k]) for k in range(classes)}


def _answers(generated: FeatureSet, name: str) -> tuple[Bool[np.ndarray, " images"], np.ndarray]:
    logits = feature(generated, name, side="generated")
    if "labels" not in generated:
        raise UserError(
            "generated features: no labels, and accuracy is of what was asked for; "
            "score sets of a class-conditional or classifier-guided model"
        )
    labels = np.asarray(generated["labels"])
    if labels.shape != (len(logits),) or labels.dtype.kind not in "iu":
        raise UserError(f"generated features 'labels': {labels.dtype}{labels.shape}, wanted one class for each image")
    if labels.min() < 0 or labels.max() >= logits.shape[1]:
        raise UserError(
            f"generated features 'labels': {labels.min()} to {labels.max()}, "
            f"but the extractor knows {logits.shape[1]} classes"
        )
    return logits.argmax(axis=1) == labels, labels
