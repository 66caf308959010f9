"""Nearest-neighbour distance: hand-made cases, copies, new images of the same distribution, its interval."""

import numpy as np
import pytest

from diffbench.base.errors import UserError
from diffbench.metrics import _distances
from diffbench.metrics.nearest_neighbour import NearestNeighbour, nearest_neighbour


def test_by_hand():
    # Training 0, 1, 3: own distances 1, 1, 2, mean 4/3. Generated -2, 1, 5: distances 2, 0, 2, mean 4/3.
    y, x = np.array([[0.0], [1], [3]]), np.array([[-2.0], [1], [5]])
    assert nearest_neighbour(x, y) == pytest.approx(1, rel=1e-14)
    estimate = NearestNeighbour()({"pool": x}, {"pool": y})
    # Distances in units of 4/3: 1.5, 0, 1.5, of variance 0.75. Student's quantile at 2 degrees is 4.303.
    assert estimate.high - estimate.value == pytest.approx(4.303 * np.sqrt(0.75 / 3), rel=0.04)
    assert nearest_neighbour(10 * x + 7, 10 * y + 7) == pytest.approx(1, rel=1e-14)


def test_agrees_with_all_distances_in_blocks(network_like, monkeypatch):
    x, y = network_like(1, 70, 16, 0.1), network_like(2, 90, 16)
    cross = np.sqrt(((x[:, None] - y[None]) ** 2).sum(axis=2)).min(axis=1)
    own = np.sqrt(((y[:, None] - y[None]) ** 2).sum(axis=2) + np.diag(np.full(90, np.inf))).min(axis=1)
    whole = nearest_neighbour(x, y)
    assert whole == pytest.approx(cross.mean() / own.mean(), rel=1e-12)
    monkeypatch.setattr(_distances, "BLOCK_ENTRIES", 700)
    assert nearest_neighbour(x, y) == pytest.approx(whole, rel=1e-12)


@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_copies_are_at_zero_exactly_and_a_share_of_copies_lowers_it(offset):
    draws = np.random.default_rng(0)
    y, new = draws.standard_normal((100, 20)) + offset, draws.standard_normal((80, 20)) + offset
    copies = NearestNeighbour()({"pool": y[:80]}, {"pool": y})
    assert copies.value == copies.low == 0 and copies.high == pytest.approx(1.96**2 / (80 + 1.96**2), rel=1e-4)
    half = np.concatenate([new[:40], y[:40]])
    assert nearest_neighbour(half, y) == pytest.approx(nearest_neighbour(new[:40], y) / 2, rel=1e-12)
    assert nearest_neighbour(y[:80] + 0.01, y) < 0.05 < nearest_neighbour(new, y)


def test_new_images_of_the_same_distribution_are_expected_at_one():
    runs = []
    for i in range(100):
        draws = np.random.default_rng(i)
        runs.append(nearest_neighbour(draws.standard_normal((100, 8)), draws.standard_normal((200, 8))))
    assert np.mean(runs) == pytest.approx(1, abs=4 * np.std(runs) / np.sqrt(100))
    assert np.std(runs) / np.sqrt(100) < 0.005


def test_bad_input_is_refused(network_like):
    x = network_like(1, 20, 4)
    with pytest.raises(UserError, match="each image has a copy among the others"):
        nearest_neighbour(x, np.repeat(x, 2, axis=0))
    with pytest.raises(UserError, match="reference features 'pool': 1 images, but 2 are needed"):
        nearest_neighbour(x, x[:1])
    with pytest.raises(UserError, match="generated has 4 dimensions, reference 2"):
        NearestNeighbour()({"pool": x}, {"pool": x[:, :2]})
    with pytest.raises(UserError, match="^reference features 'pool': NaN"):
        nearest_neighbour(x, np.full((20, 4), np.nan))
