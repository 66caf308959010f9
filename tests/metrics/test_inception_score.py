"""Inception Score and the share of classified images: hand-made cases, torch-fidelity, intervals against the truth."""

import numpy as np
import pytest

from diffbench.base.errors import UserError
from diffbench.base.records import NORMAL_95
from diffbench.metrics import inception_score as module
from diffbench.metrics.classified import Classified
from diffbench.metrics.inception_score import InceptionScore, inception_score


def one_hot(labels: np.ndarray, classes: int, sharpness: float = 60.0) -> np.ndarray:
    return sharpness * np.eye(classes)[labels]


def test_is_one_for_no_information_and_the_number_of_classes_for_all():
    assert inception_score(np.zeros((9, 4))) == pytest.approx(1, rel=1e-12)
    assert inception_score(one_hot(np.arange(12) % 4, 4)) == pytest.approx(4, rel=1e-12)
    # Frequencies 3/4 and 1/4: exp of their entropy.
    expected = np.exp(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25)))
    assert inception_score(one_hot(np.array([0, 0, 0, 1]), 2)) == pytest.approx(expected, rel=1e-12)


def test_large_logits_and_absent_classes_stay_finite():
    assert inception_score(one_hot(np.arange(12) % 3, 5, sharpness=1e5)) == pytest.approx(3, rel=1e-9)


def test_splits_are_consecutive_and_in_order():
    labels = np.repeat(np.arange(4), 5)
    assert inception_score(one_hot(labels, 4), splits=4) == pytest.approx(1, rel=1e-12)
    shuffled = InceptionScore(splits=4, shuffle_seed=2020)({"logits": one_hot(labels, 4)}, {})
    assert shuffled.value > 2


@pytest.mark.parametrize("splits", [1, 3, 10])
def test_agrees_with_torch_fidelity(splits):
    import torch
    from torch_fidelity import metric_isc

    logits = np.random.default_rng(0).standard_normal((207, 30)) * 3
    for shuffle in (False, True):
        seed = 2020 if shuffle and splits > 1 else None
        theirs = metric_isc.isc_features_to_metric(torch.from_numpy(logits), splits, shuffle)
        own = InceptionScore(splits=splits, shuffle_seed=seed)({"logits": logits}, {}).value
        assert own == pytest.approx(theirs[metric_isc.KEY_METRIC_ISC_MEAN], rel=1e-12)


def test_settings_without_sense_are_refused():
    with pytest.raises(UserError, match="splits = 0"):
        InceptionScore(splits=0)
    with pytest.raises(UserError, match="no effect"):
        InceptionScore(shuffle_seed=1)
    with pytest.raises(UserError, match="5 images, but 6 are needed"):
        inception_score(np.zeros((5, 2)), splits=3)


@pytest.mark.parametrize(
    ("n", "classes", "settings", "chunks"),
    [
        (40, 7, {}, [slice(0, 40)]),
        (30, 200, {}, [slice(0, 30)]),
        (41, 7, {"splits": 3}, [slice(0, 13), slice(13, 27), slice(27, 41)]),
        (42, 7, {"chunk": 20}, [slice(0, 20), slice(20, 40), slice(40, 42)]),
    ],
)
def test_the_standard_error_is_that_of_scores_without_one_image(n, classes, settings, chunks, monkeypatch):
    monkeypatch.setattr(module, "CHUNK_ENTRIES", 5 * classes)
    logits = 3 * np.random.default_rng(0).standard_normal((n, classes))
    variance = 0.0
    for chunk in (logits[part] for part in chunks):
        # Two images without one are one image, whose score is 1.
        without = [inception_score(rest) if len(rest) > 1 else 1.0 for rest in leave_one_out(chunk)]
        variance += (len(chunk) - 1) * np.var(without) / len(chunks) ** 2
    estimate = InceptionScore(**settings)({"logits": logits}, {})
    assert (estimate.high - estimate.value) / NORMAL_95 == pytest.approx(np.sqrt(variance), rel=1e-9)


def leave_one_out(logits: np.ndarray) -> list[np.ndarray]:
    return [np.delete(logits, i, axis=0) for i in range(len(logits))]


@pytest.mark.parametrize("kind", ["soft", "one-hot"])
def test_interval_covers_the_expectation(kind):
    def draw(seed: int) -> np.ndarray:
        draws = np.random.default_rng(seed)
        logits = 2 * draws.standard_normal((300, 6))
        return logits + one_hot(draws.integers(0, 6, 300), 6, 20) * (kind == "one-hot")

    runs = [InceptionScore()({"logits": draw(i)}, {}) for i in range(300)]
    truth = np.mean([e.value for e in runs])
    # One class an image, equally frequent: the first order vanishes, and the score is bounded above, hence narrow.
    assert 0.91 <= np.mean([e.low <= truth <= e.high for e in runs]) <= (0.99 if kind == "soft" else 1)


def test_classified_counts_confident_images():
    # Softmax of (log 9, 0) is exactly 0.9 but for rounding; (3, 0) is 0.953, (2, 0) is 0.881.
    logits = np.array([[3.0, 0], [0, 3], [2, 0], [0, 0]])
    estimate = Classified()({"logits": logits}, {})
    assert estimate.value == 0.5 and 0 < estimate.low < 0.5 < estimate.high < 1
    assert Classified(confidence=0.8)({"logits": logits}, {}).value == 0.75
    all_sure = Classified()({"logits": one_hot(np.arange(50) % 2, 2)}, {})
    assert all_sure.value == 1 == all_sure.high and all_sure.low == pytest.approx(50 / (50 + 1.959964**2))
    with pytest.raises(UserError, match="confidence = 1.5"):
        Classified(confidence=1.5)
