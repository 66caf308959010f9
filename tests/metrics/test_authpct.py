"""AuthPct: hand-made cases, ties, repeats, all distances at once, and what copies and noise do to it."""

import numpy as np
import pytest

from diffbench.base.errors import UserError
from diffbench.metrics import _distances
from diffbench.metrics._nearest_training import copies, nearest_training
from diffbench.metrics.authpct import AuthPct, authpct


def by_all_distances(x: np.ndarray, training: np.ndarray) -> float:
    """Return the percentage as dgm-eval's `compute_authpct` defines it, from differences."""
    mixed = ((x[:, None] - training[None]) ** 2).sum(axis=2)
    own = ((training[:, None] - training[None]) ** 2).sum(axis=2)
    np.fill_diagonal(own, np.inf)
    return 100 * float(np.mean(own.min(axis=1)[mixed.argmin(axis=1)] < mixed.min(axis=1)))


def test_by_hand():
    training = np.array([[0.0], [1], [3]])
    # -2: 2 from 0, which is 1 from another: authentic. 4.5: 1.5 from 3, which is 2 from another: not.
    assert authpct(np.array([[-2.0], [4.5]]), training) == 50
    # A copy never is, and neither is an image that is exactly as far as the other training image.
    assert authpct(np.array([[1.0], [-1.0]]), training) == 0
    found = AuthPct()({"pool": np.array([[-2.0], [4.5]])}, {"pool": training})
    assert (found.low, found.high) == pytest.approx((9.4531, 90.5469), abs=1e-3)  # Wilson's for 1 of 2


SKEWED = np.random.default_rng(3).standard_normal((140, 10)) * 10.0 ** -np.arange(10)


@pytest.mark.parametrize(
    ("x", "training"),
    [
        (np.random.default_rng(0).integers(0, 3, (90, 4)), np.random.default_rng(1).integers(0, 4, (70, 4))),
        (SKEWED[:60], SKEWED[60:]),
        (np.random.default_rng(0).standard_normal((9, 48)), np.random.default_rng(1).standard_normal((12, 48))),
        (
            np.random.default_rng(0).standard_normal((50, 6)) + 100,
            np.random.default_rng(1).standard_normal((60, 6)) + 100,
        ),
        (np.repeat(SKEWED[:20], 3, axis=0), np.repeat(SKEWED[30:60], 2, axis=0)),
        (np.zeros((2, 1)), np.array([[0.0], [1.0]])),
    ],
    ids=["ties", "ill-conditioned", "fewer than dimensions", "offset 100", "duplicates", "two"],
)
def test_agrees_with_all_distances(x, training, monkeypatch):
    x, training = x.astype(float), training.astype(float)
    expected = by_all_distances(x, training)
    assert authpct(x, training) == pytest.approx(expected, rel=1e-12)
    monkeypatch.setattr(_distances, "BLOCK_ENTRIES", 500)
    assert authpct(x, training) == pytest.approx(expected, rel=1e-12)


def test_copies_lower_it_by_their_share_and_noise_raises_it():
    draws = np.random.default_rng(0)
    training, new = draws.standard_normal((300, 8)), draws.standard_normal((200, 8))
    honest = authpct(new, training)
    assert 30 < honest < 75 and authpct(10 * new, training) > 99
    half = np.concatenate([new[:100], training[:100] + 1e-6])
    assert authpct(half, training) == pytest.approx(authpct(new[:100], training) / 2)


def test_a_training_image_that_is_there_twice_hides_what_is_near_it_only_from_the_percentage():
    training = np.array([[0.0], [0.0], [1.0], [5.0]])
    x = np.array([[0.01], [0.0], [5.2]])
    assert nearest_training(x, training).authentic.tolist() == [True, False, False]
    found = copies(x, training)
    assert found.places.tolist() == [0, 0, 3] and found.own_squared.tolist() == [1, 1, 16]
    alone = copies(x, np.zeros((3, 1)))
    assert alone.places.tolist() == [0, 0, 0] and np.isinf(alone.own_squared).all()


def test_one_training_image_is_refused():
    with pytest.raises(UserError, match="reference features 'pool': 1 images, but 2 are needed"):
        authpct(np.zeros((3, 2)), np.zeros((1, 2)))
