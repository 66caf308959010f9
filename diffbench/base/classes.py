"""Counts of images per class, and a warning if labels are drawn uniformly but the classes are unequal."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

LabelRule = Literal["iid", "balanced", "as_in_data"]
"""How the labels of samples are chosen: drawn uniformly, each class in turn, or drawn as often as in the data."""

LABEL_RULES: tuple[str, ...] = get_args(LabelRule)

TOLD_FROM = 0.02
"""The smallest share of uniformly drawn labels that differ from the data's at which the user gets a warning.

The share is 0.013 for ImageNet and 0.011 for the digits. Published numbers for both are of uniform labels."""


def class_counts(labels: Any, num_classes: int | None) -> list[int] | None:
    """Return the number of images of each class; None if there are no labels. labels: an array, or None."""
    if labels is None or num_classes is None:
        return None
    import numpy as np

    return np.bincount(labels, minlength=num_classes).tolist()


def unlike_uniform(counts: Sequence[int] | None) -> str | None:
    """Return a warning for labels that are drawn uniformly; None if the classes are about equally frequent in the data.

    The share of labels that differ is half the sum over classes of |share of the images - 1 / number of classes|.
    """
    if not counts or not sum(counts):
        return None
    share = sum(abs(count / sum(counts) - 1 / len(counts)) for count in counts) / 2
    if share < TOLD_FROM:
        return None
    return (
        f"classes have {min(counts)} to {max(counts)} training images, but labels are drawn as if all had as many, so "
        f"{share:.0%} of the labels differ from the data's; 'labels: as_in_data' draws them as the data have them"
    )
