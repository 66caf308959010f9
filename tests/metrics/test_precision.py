"""Precision and recall: hand-made cases, ties, torch-fidelity and prdc, recall's jackknife against leaving images out."""

import numpy as np
import pytest

from diffbench.base.errors import UserError
from diffbench.metrics import _distances
from diffbench.metrics._products import products_on
from diffbench.metrics.coverage import Coverage
from diffbench.metrics.density import Density
from diffbench.metrics.precision import Precision, precision
from diffbench.metrics.recall import Recall, _Covered, recall


def by_torch_fidelity(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    import torch
    from torch_fidelity import metric_prc

    found = metric_prc.prc_features_to_metric(
        torch.from_numpy(x), torch.from_numpy(y), prc_neighborhood=3, prc_batch_size=10000, verbose=False
    )
    return found[metric_prc.KEY_METRIC_PRECISION], found[metric_prc.KEY_METRIC_RECALL]


def test_by_hand():
    # k = 1. Reference 0, 1, 3: radii 1, 1, 2, so its manifold is [-1, 5]. Generated -1, 5, 6, 16: radii 6, 1, 1, 10.
    y, x = np.array([[0.0], [1], [3]]), np.array([[-1.0], [5], [6], [16]])
    assert precision(x, y, k=1) == 0.5  # -1 and 5 lie on the boundary, which counts
    assert recall(x, y, k=1) == 1.0
    assert recall(x[1:], y, k=1) == 0.0


@pytest.mark.parametrize("d", [2, 64])
def test_agrees_with_torch_fidelity_and_prdc(d, network_like):
    from prdc import compute_prdc

    x, y = network_like(1, 300, d, 0.1) + 0.01, network_like(2, 400, d)
    # prdc's `<` and our `<=` agree where nothing is tied.
    x, y = (z + 1e-3 * np.random.default_rng(len(z)).standard_normal(z.shape) for z in (x, y))
    own = precision(x, y), recall(x, y)
    assert own == pytest.approx(by_torch_fidelity(x, y), abs=1e-7)  # its mean is float32
    theirs = compute_prdc(real_features=y, fake_features=x, nearest_k=3)
    assert own == pytest.approx((theirs["precision"], theirs["recall"]), abs=1e-12)


def test_ties_on_a_grid_count_as_inside():
    draws = np.random.default_rng(0)
    x, y = draws.integers(0, 4, (200, 3)).astype(float), draws.integers(0, 4, (250, 3)).astype(float)
    squared = ((x[:, None] - y[None]) ** 2).sum(axis=2)
    radii = [np.sort(((z[:, None] - z[None]) ** 2).sum(axis=2), axis=1)[:, 3] for z in (x, y)]
    assert precision(x, y) == (squared <= radii[1]).any(axis=1).mean()
    assert recall(x, y) == (squared <= radii[0][:, None]).any(axis=0).mean()


@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_repeated_points_lie_in_balls_of_radius_zero(offset):
    points = np.random.default_rng(0).standard_normal((30, 20)) + offset
    x, y = np.repeat(points, 4, axis=0), np.repeat(points[::-1], 5, axis=0)
    assert precision(x, y) == recall(x, y) == 1.0
    moved = x + 1e-6
    assert precision(moved, y) == recall(moved, y) == 0.0


def test_blocks_do_not_matter(network_like, monkeypatch):
    x, y = network_like(1, 70, 8, 0.1), network_like(2, 90, 8)
    whole = Precision()({"pool": x}, {"pool": y}), Recall()({"pool": x}, {"pool": y})
    monkeypatch.setattr(_distances, "BLOCK_ENTRIES", 700)
    assert whole == (Precision()({"pool": x}, {"pool": y}), Recall()({"pool": x}, {"pool": y}))


@pytest.mark.parametrize("kind", ["continuous", "grid"])
@pytest.mark.parametrize("k", [1, 3])
def test_leave_one_out_is_what_leaving_out_gives(kind, k):
    draws = np.random.default_rng(k)
    x, y = 0.8 * draws.standard_normal((40, 3)), draws.standard_normal((60, 3))
    if kind == "grid":
        x, y = np.round(2 * x), np.round(2 * y)
    half = draws.permutation(40) < 20
    found = _Covered(x, y, k, np.array([np.ones(40, bool), half]))
    _distances.read_pairs(y, x, found)
    covered, changes = found.covered, found.changes
    assert covered[0] / 60 == recall(x, y, k) and covered[1] / 60 == recall(x[half], y, k)
    without = [recall(np.delete(x, i, axis=0), y, k) for i in range(40)]
    np.testing.assert_allclose((covered[0] + changes[0]) / 60, without, atol=1e-12)
    without = [recall(np.delete(x[half], i, axis=0), y, k) for i in range(20)]
    np.testing.assert_allclose((covered[1] + changes[1])[half] / 60, without, atol=1e-12)


def test_too_few_images_and_k_below_one_are_refused(network_like):
    x = network_like(1, 4, 3)
    for metric in (Precision(), Recall()):
        with pytest.raises(UserError, match="4 images, but 5 are needed"):
            metric({"pool": x}, {"pool": x})
    for part in (Precision, Recall):
        with pytest.raises(UserError, match="k = 0"):
            part(k=0)


def test_only_the_first_reference_images_make_the_manifold():
    draws = np.random.default_rng(0)
    x, y = draws.standard_normal((40, 3)), draws.standard_normal((60, 3)) + 0.5
    for part in (Precision, Recall):
        whole = part()({"pool": x}, {"pool": y[:20]})
        assert part(num_reference=20)({"pool": x}, {"pool": y}) == whole
        assert part()({"pool": x}, {"pool": y}) != whole
        with pytest.raises(UserError, match="at least k \\+ 2"):
            part(num_reference=4)


def brute(x: np.ndarray, y: np.ndarray, k: int = 3) -> tuple[float, float]:
    """Precision and recall from all differences in float64."""
    own = [np.sort(((z[:, None] - z[None]) ** 2).sum(axis=2), axis=1)[:, k] for z in (x, y)]
    squared = ((x[:, None] - y[None]) ** 2).sum(axis=2)
    return (squared <= own[1]).any(axis=1).mean(), (squared <= own[0][:, None]).any(axis=0).mean()


@pytest.mark.parametrize("kind", ["offset", "tiny", "huge", "clusters", "outlier", "copies"])
def test_float32_products_decide_nothing_that_they_cannot(kind, monkeypatch):
    draws = np.random.default_rng(0)
    x, y = draws.standard_normal((90, 12)), draws.standard_normal((110, 12))
    if kind == "offset":
        x, y = x + 1e6, y + 1e6
    if kind in ("tiny", "huge"):
        x, y = (z * {"tiny": 1e-25, "huge": 1e25}[kind] for z in (x, y))
    if kind == "clusters":  # their distance is a million times their width
        x, y = (z * 1e-3 + 1e3 * (np.arange(len(z)) % 2)[:, None] for z in (x, y))
    if kind == "outlier":
        y[7] *= 1e6
    if kind == "copies":
        x[:40] = y[:40] * (1 + 1e-12)
    for entries in (_distances.BLOCK_ENTRIES, 900):
        monkeypatch.setattr(_distances, "BLOCK_ENTRIES", entries)
        monkeypatch.setattr(_distances, "SYMMETRIC_ENTRIES", entries * 9)
        assert (precision(x, y), recall(x, y)) == brute(x, y)


def test_metrics_in_one_pass_are_those_of_a_pass_each(network_like):
    x, y = network_like(1, 70, 8, 0.1), network_like(2, 90, 8)
    x[:20] = y[:20]
    sets = {"pool": x, "other": x[:, :3]}, {"pool": y, "other": y[:, :3]}
    metrics = [
        Precision(),
        Density(),
        Recall(),
        Precision(features="other"),
        Coverage(),
        Recall(k=1),
        Density(k=3),
        Precision(num_reference=50),
    ]
    assert Precision.together(metrics, *sets) == [metric(*sets) for metric in metrics]
    with pytest.raises(UserError, match="6 images, but 7 are needed"):
        Precision.together([Precision(), Coverage()], {"pool": x[:6]}, {"pool": y})


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_products_on_a_device_decide_the_same(device, network_like, monkeypatch):
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    x, y = network_like(1, 200, 32, 0.1), network_like(2, 300, 32)
    x[:60] = y[:60] * (1 + 1e-12)
    metrics, sets = [Precision(), Recall(), Density(), Coverage()], ({"pool": x}, {"pool": y})
    expected, taken = Precision.together(metrics, *sets), []
    multiplied = torch.Tensor.copy_
    monkeypatch.setattr(torch.Tensor, "copy_", lambda own, *other: (taken.append(1), multiplied(own, *other))[1])
    before = torch.get_float32_matmul_precision()
    with products_on(device):
        found = Precision.together(metrics, *sets)
    assert taken and torch.get_float32_matmul_precision() == before
    assert [item.value for item in found] == [item.value for item in expected]
    for i in (0, 2, 3):
        assert found[i] == expected[i]
    assert (found[1].low, found[1].high) == pytest.approx((expected[1].low, expected[1].high), abs=1e-3)
    taken.clear()
    assert Precision.together(metrics, *sets) == expected and not taken
