"""Classification accuracy: a case counted by hand, and the message if it cannot be counted."""

import numpy as np
import pytest

from diffbench.base.errors import UserError
from diffbench.metrics.classification_accuracy import ClassificationAccuracy, accuracy_by_class

LOGITS = np.array([[3.0, 1, 0], [0, 1, 0.5], [0, 0, 9], [5, 4, 0]], np.float32)
LABELS = np.array([0, 1, 2, 1])


def test_the_share_that_is_of_its_label():
    found = ClassificationAccuracy()({"logits": LOGITS, "labels": LABELS}, {})
    assert found.value == 0.75
    # Wilson's interval of 3 in 4.
    assert (found.low, found.high) == pytest.approx((0.300642, 0.954413), abs=1e-6)


def test_by_class():
    found = accuracy_by_class({"logits": LOGITS, "labels": LABELS})
    assert {k: estimate.value for k, estimate in found.items()} == {0: 1.0, 1: 0.5, 2: 1.0}


def test_a_class_that_nothing_was_asked_to_be():
    with pytest.raises(UserError, match="no image has label 2; make more images, or labels: balanced"):
        accuracy_by_class({"logits": LOGITS[:2], "labels": LABELS[:2]})


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (None, "no labels, and accuracy is of what was asked for"),
        (LABELS[:3], r"'labels': int64\(3,\), wanted one class for each image"),
        (LABELS.astype(float), "wanted one class for each image"),
        (np.array([0, 1, 2, 3]), "0 to 3, but the extractor knows 3 classes"),
        (np.array([0, -1, 2, 1]), "-1 to 2, but the extractor knows 3 classes"),
    ],
)
def test_labels_that_are_none_are_one_line(labels, words):
    given = {"logits": LOGITS} | ({} if labels is None else {"labels": labels})
    with pytest.raises(UserError, match=words) as caught:
        ClassificationAccuracy()(given, {})
    assert "\n" not in str(caught.value)
