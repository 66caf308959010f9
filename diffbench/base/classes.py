"""How many images each class has: how far that is from equal, and labels drawn as the data have them."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

LabelRule = Literal["iid", "balanced", "as_in_data"]
"""How the labels of samples are chosen: drawn uniformly, each in turn, or drawn with the training data's shares."""

LABEL_RULES: tuple[str, ...] = get_args(LabelRule)

TOLD_FROM = 0.02
"""The share of labels drawn uniformly that must be otherwise in the data before a person is told.

Of ImageNet it is 0.013, of the digits 0.011, and their published numbers are of uniform labels."""


def class_counts(labels: Any, num_classes: int | None) -> list[int] | None:
    """Return the number of images of each class; None where there are no labels. labels: an array, or None."""
    if labels is None or num_classes is None:
        return None
    import numpy as np

    return np.bincount(labels, minlength=num_classes).tolist()


def unlike_uniform(counts: Sequence[int] | None) -> str | None:
    """Return what a person must know where labels are drawn uniformly; None where the data's are nearly so.

    The share is half the sum over classes of |their share of the images - 1 / number of classes|.
    """
    if not counts or not sum(counts):
        return None
    share = sum(abs(count / sum(counts) - 1 / len(counts)) for count in counts) / 2
    if share < TOLD_FROM:
        return None
    return (
        f"classes have {min(counts)} to {max(counts)} training images, and labels are drawn as if all had as many: "
        f"{share:.0%} of them would be others in the data; 'labels: as_in_data' draws them as there"
    )
