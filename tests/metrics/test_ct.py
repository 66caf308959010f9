"""C_T: the authors' formula by scipy in each cell, hand-made ranks, cells, refusals, and what copies do to it."""

import numpy as np
import pytest

from diffbench.base.errors import UserError
from diffbench.metrics import _distances
from diffbench.metrics._cells import _squared, cell_of, centres_of, principal
from diffbench.metrics.ct import Ct, ct


def by_scipy(x, training, test, cells, components=64):
    """Return C_T as data_copying_tests.py by Meehan et al. computes it, in the cells that are made here."""
    from scipy.stats import mannwhitneyu

    if training.shape[1] > components:
        training, x, test = principal(training, components, x, test)
    centres = centres_of(training, cells)
    of = {name: cell_of(points, centres) for name, points in (("x", x), ("t", training), ("test", test))}
    scores, weights = [], []
    for cell in range(cells):
        inside = training[of["t"] == cell]
        nearest = lambda points: np.sqrt(((points[:, None] - inside[None]) ** 2).sum(axis=2)).min(axis=1)  # noqa: B023, E731
        own, other = nearest(x[of["x"] == cell]), nearest(test[of["test"] == cell])
        m, n = len(own), len(other)
        if m / len(x) > 20 / len(x):
            u = mannwhitneyu(own, other, alternative="less").statistic
            scores.append((u - (n * m / 2 - 0.5)) / np.sqrt(n * m * (n + m + 1) / 12))
            weights.append(n / len(test))
    return np.dot(scores, weights) / np.sum(weights)


def drawn(kind: str) -> list[np.ndarray]:
    """Return generated, training and held-out features."""
    r = np.random.default_rng(5)
    sizes, normal = (120, 160, 80), r.standard_normal
    scales = 10.0 ** -np.arange(10)
    made = {
        "normal": lambda: [normal((n, 8)) for n in sizes],
        "ties": lambda: [r.integers(0, 3, (n, 3)).astype(float) for n in sizes],
        "duplicates": lambda: [np.repeat(normal((n // 4, 6)), 4, axis=0) for n in sizes],
        "ill-conditioned": lambda: [normal((n, 10)) * scales for n in sizes],
        "offset 100": lambda: [normal((n, 6)) + 100 for n in sizes],
        "components": lambda: [np.maximum(0, normal((n, 90))) for n in sizes],
        "fewer images than dimensions": lambda: [normal((n, 200)) for n in (80, 90, 60)],
        "one cell small": lambda: [normal((n, 4)) + 9 * (r.random((n, 1)) < 0.1) for n in sizes],
    }
    return made[kind]()


KINDS = (
    *("normal", "ties", "duplicates", "ill-conditioned", "offset 100", "components", "fewer images than dimensions"),
    "one cell small",
)


@pytest.mark.parametrize("cells", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_is_the_authors_formula_in_every_cell(kind, cells):
    x, training, test = drawn(kind)
    found = Ct(cells=cells)({"pool": x}, {"pool": training}, {"pool": test})
    assert found.value == pytest.approx(by_scipy(x, training, test, cells), rel=1e-9, abs=1e-12)
    assert found.low < found.value < found.high


def test_by_hand(monkeypatch):
    # Distances to training: generated 0.1, 0.3; held-out 0.1, 0.2, 0.5. U = 1/2 + 2; mean 3 - 1/2.
    training, x, test = np.array([[0.0], [10.0]]), np.array([[0.1], [10.3]]), np.array([[-0.1], [0.2], [9.5]])
    found = Ct(cells=1, min_generated=1)({"pool": x}, {"pool": training}, {"pool": test})
    assert found.value == pytest.approx((2.5 - 2.5) / np.sqrt(2 * 3 * 6 / 12), abs=1e-12)
    monkeypatch.setattr(_distances, "BLOCK_ENTRIES", 3)
    assert Ct(cells=1, min_generated=1)({"pool": x}, {"pool": training}, {"pool": test}) == found


def test_jackknife_is_that_of_leaving_images_out(monkeypatch):
    x, training, test = drawn("normal")
    seen = {}
    monkeypatch.setattr("diffbench.metrics.ct.student", lambda value, variance, influence: seen.update(i=influence))
    Ct()({"pool": x}, {"pool": training}, {"pool": test})
    monkeypatch.undo()
    whole = ct(x, training, test)
    for i in (0, 7, 50):
        change = (len(x) - 1) * (whole - ct(np.delete(x, i, axis=0), training, test))
        assert seen["i"][i] == pytest.approx(change, rel=1e-9)


def test_copies_are_far_below_zero_and_noise_far_above():
    draws = np.random.default_rng(0)
    training, test, new = (draws.standard_normal((n, 8)) for n in (600, 300, 300))
    assert abs(ct(new, training, test)) < 3
    assert ct(training[:300] + 0.001, training, test) < -10
    assert ct(3 * new, training, test) > 5


def test_cells_are_the_same_every_time_and_near_the_best_that_scikit_learn_finds():
    from sklearn.cluster import KMeans

    points = np.random.default_rng(0).standard_normal((200, 6))
    own = _squared(points, centres_of(points, 3)).min(axis=1).sum()
    assert (centres_of(points, 3) == centres_of(points, 3)).all()
    assert own < 1.03 * KMeans(3, n_init=10, random_state=0).fit(points).inertia_
    apart = np.concatenate([points + shift for shift in (0, 50, -50)])
    assert sorted(np.bincount(cell_of(apart, centres_of(apart, 3)))) == [200, 200, 200]


def test_what_cannot_be_scored_is_refused_in_one_line():
    x, training, test = drawn("normal")
    with pytest.raises(
        UserError, match=r"^ct: the cells have \d+, \d+, \d+ generated images, and one with more than 20"
    ):
        ct(x[:30], training, test)
    with pytest.raises(UserError, match="of the 3 cells have no held-out image; give more of them, or set ct.cells"):
        ct(x, training, test[:2])
    with pytest.raises(UserError, match="1 different images make no 3 cells; lower cells"):
        ct(x, np.ones((50, 8)), test)
    with pytest.raises(UserError, match="held-out has 4 dimensions, reference 8"):
        ct(x, training, test[:, :4])
    with pytest.raises(UserError, match="^held-out features 'pool': NaN or infinity in 1 of 80"):
        ct(x, training, np.where(np.arange(80)[:, None] == 3, np.nan, test))
    with pytest.raises(UserError, match="cells = 0, at least 1"):
        Ct(cells=0)
