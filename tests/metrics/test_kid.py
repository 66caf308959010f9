"""KID against a sum by hand, torch-fidelity, and its interval against the truth."""

import numpy as np
import pytest

from diffbench.base.errors import UserError
from diffbench.metrics.kid import Kid, kid


def by_hand(x: np.ndarray, y: np.ndarray) -> float:
    k = lambda a, b: (np.dot(a, b) / len(a) + 1) ** 3  # noqa: E731
    own = np.mean([k(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j])
    reference = np.mean([k(a, b) for i, a in enumerate(y) for j, b in enumerate(y) if i != j])
    return own + reference - 2 * np.mean([k(a, b) for a in x for b in y])


def test_is_the_sum_over_pairs():
    draws = np.random.default_rng(0)
    x, y = draws.standard_normal((5, 3)), draws.standard_normal((4, 3))
    assert kid(x, y) == pytest.approx(by_hand(x, y), rel=1e-12)
    # One dimension, x = (0, 0, 2), y = (1, 1, 1): pairs 1; 8; mixed (1 + 1 + 27) / 3.
    assert kid(np.array([[0.0], [0], [2]]), np.ones((3, 1))) == pytest.approx(1 + 8 - 2 * 29 / 3, rel=1e-14)


def test_blocks_do_not_matter(network_like, monkeypatch):
    x, y = network_like(1, 70, 16, 0.1), network_like(2, 90, 16)
    whole = Kid()({"pool": x}, {"pool": y})
    monkeypatch.setattr("diffbench.metrics.kid.BLOCK", 13)
    split = Kid()({"pool": x}, {"pool": y})
    assert (split.value, split.low) == pytest.approx((whole.value, whole.low), rel=1e-9)


def test_agrees_with_torch_fidelity_on_full_sets_and_subsets(network_like):
    import torch
    from torch_fidelity import metric_kid

    x, y = network_like(1, 150, 32, 0.3), network_like(2, 150, 32)
    for subsets, size in ((1, 150), (20, 60)):
        theirs = metric_kid.kid_features_to_metric(
            torch.from_numpy(x), torch.from_numpy(y), kid_subsets=subsets, kid_subset_size=size, verbose=False
        )[metric_kid.KEY_METRIC_KID_MEAN]
        own = Kid(subsets=subsets, subset_size=size)({"pool": x}, {"pool": y}).value
        assert own == pytest.approx(theirs, rel=1e-9)
        if size == 150:
            assert kid(x, y) == pytest.approx(theirs, rel=1e-9)


def test_settings_without_effect_or_sense_are_refused(network_like):
    with pytest.raises(UserError, match="no effect with subsets = 0"):
        Kid(subset_size=50)
    with pytest.raises(UserError, match="subsets = -1"):
        Kid(subsets=-1)
    x = network_like(1, 20, 4)
    with pytest.raises(UserError, match="20 generated, 20 reference"):
        Kid(subsets=2)({"pool": x}, {"pool": x})


@pytest.mark.parametrize("shift", [0.0, 0.2])
def test_interval_covers_the_expectation(shift):
    y = np.random.default_rng(9).standard_normal((300, 32))
    draw = lambda i: np.random.default_rng(i).standard_normal((200, 32)) + shift  # noqa: E731
    runs = [Kid()({"pool": draw(i)}, {"pool": y}) for i in range(300)]
    truth = np.mean([e.value for e in runs])
    assert 0.91 <= np.mean([e.low <= truth <= e.high for e in runs]) <= 0.99
