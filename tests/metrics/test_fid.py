"""FID against hand-made cases, a nuclear norm in float64, torch-fidelity, and its interval against the truth."""

import numpy as np
import pytest

from diffbench.base.errors import UserError
from diffbench.metrics.fid import Fid, fid, frechet_distance, moments


def by_nuclear_norm(x: np.ndarray, y: np.ndarray) -> float:
    """The distance with tr (S1 S2)^(1/2) as the nuclear norm of X_c Y_c' / sqrt((n1 - 1) (n2 - 1)): no matrix is squared."""
    a, b = ((z - z.mean(axis=0)) / np.sqrt(len(z) - 1) for z in (x, y))
    trace = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    return ((x.mean(axis=0) - y.mean(axis=0)) ** 2).sum() + (a**2).sum() + (b**2).sum() - 2 * trace


def by_torch_fidelity(x: np.ndarray, y: np.ndarray) -> float:
    import torch
    from torch_fidelity import metric_fid

    statistics = [metric_fid.fid_features_to_statistics(torch.from_numpy(z)) for z in (x, y)]
    return metric_fid.fid_statistics_to_metric(*statistics, False)[metric_fid.KEY_METRIC_FID]


def test_of_one_dimension_is_the_difference_of_means_and_of_standard_deviations():
    # x: mean 2, variance 4; y: mean 5, variance 1. (2 - 5)^2 + (2 - 1)^2 = 10.
    x, y = np.array([[0.0], [2.0], [4.0]]), np.array([[4.0], [5.0], [6.0]])
    assert fid(x, y) == pytest.approx(10, rel=1e-14)
    assert frechet_distance(np.array([2.0]), np.eye(1) * 4, np.array([5.0]), np.eye(1)) == pytest.approx(10, rel=1e-14)


def test_of_covariances_that_do_not_commute():
    # tr (A B)^(1/2) of 2 x 2 matrices is sqrt(tr AB + 2 sqrt(det AB)).
    a, b = np.array([[2.0, 1.0], [1.0, 3.0]]), np.array([[4.0, -1.0], [-1.0, 1.0]])
    expected = 5 + 5 - 2 * np.sqrt(np.trace(a @ b) + 2 * np.sqrt(np.linalg.det(a @ b)))
    assert frechet_distance(np.zeros(2), a, np.zeros(2), b) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(("n", "m", "d"), [(300, 400, 64), (65, 300, 64), (300, 40, 64)])
def test_more_images_than_dimensions_agrees_with_torch_fidelity(n, m, d, network_like):
    x, y = network_like(1, n, d, 0.1), network_like(2, m, d)
    assert fid(x, y) == pytest.approx(by_torch_fidelity(x, y), rel=1e-6)
    assert fid(x, y) == pytest.approx(by_nuclear_norm(x, y), rel=1e-9)
    assert frechet_distance(*moments(x), *moments(y)) == pytest.approx(fid(x, y), rel=1e-9)


@pytest.mark.parametrize(("n", "m", "d"), [(50, 300, 64), (64, 100, 64), (50, 40, 64), (40, 500, 256), (32, 32, 512)])
def test_fewer_images_than_dimensions_agrees_with_a_nuclear_norm(n, m, d, network_like):
    x, y = network_like(1, n, d, 0.1), network_like(2, m, d)
    assert fid(x, y) == pytest.approx(by_nuclear_norm(x, y), rel=1e-9)
    assert fid(x, y) == pytest.approx(by_torch_fidelity(x, y), rel=1e-4)
    assert frechet_distance(*moments(x), *moments(y)) == pytest.approx(fid(x, y), rel=1e-9)


def test_a_constant_feature_and_equal_sets_are_no_trouble(network_like):
    x, y = network_like(1, 200, 16, 0.1), network_like(2, 200, 16)
    x[:, 3] = y[:, 3] = 0.7
    assert fid(x, y) == pytest.approx(by_nuclear_norm(x, y), rel=1e-9)
    assert fid(x, x) == pytest.approx(0, abs=1e-12)
    constant = np.ones((10, 3))
    assert Fid()({"pool": constant}, {"pool": constant + 1}).value == pytest.approx(3)


@pytest.mark.parametrize("n", [40, 300])
def test_stored_moments_are_a_reference(n, network_like):
    x, y = network_like(1, n, 64, 0.1), network_like(2, 400, 64)
    mu, sigma = moments(y)
    stored, full = (Fid()({"pool": x}, reference) for reference in ({"mu": mu, "sigma": sigma}, {"pool": y}))
    assert stored == full
    with pytest.raises(UserError, match="reference: mu"):
        Fid()({"pool": x}, {"mu": mu, "sigma": sigma[:5]})


@pytest.mark.parametrize(("n", "d"), [(120, 8), (20, 30)])
def test_influence_is_the_derivative_along_weights(n, d, network_like):
    """The jackknife's standard error equals that of leave-one-out values, up to terms of higher order in 1/n."""
    x, y = network_like(1, n, d, 0.3) * 3 + 1, network_like(2, 200, d)
    without = np.array([fid(np.delete(x, i, axis=0), y) for i in range(n)])
    jackknife = np.sqrt((n - 1) ** 2 / n * without.var(ddof=1))
    estimate = Fid()({"pool": x}, {"pool": y})
    assert (estimate.high - estimate.value) / 1.96 == pytest.approx(jackknife, rel=0.15)


def covers(draw, mu: np.ndarray, sigma: np.ndarray, trials: int) -> float:
    """Share of trials whose interval holds the mean over all trials."""
    reference = {"mu": mu, "sigma": sigma}
    estimates = [Fid()({"pool": draw(np.random.default_rng(i))}, reference) for i in range(trials)]
    truth = np.mean([e.value for e in estimates])
    return float(np.mean([e.low <= truth <= e.high for e in estimates]))


@pytest.mark.parametrize("shift", [0.0, 0.5], ids=["first order vanishes", "shifted"])
def test_interval_covers_the_expectation(shift):
    scale = np.exp(-np.arange(24) / 12)
    draw = lambda r: (r.standard_normal((200, 24)) + shift) * scale  # noqa: E731
    coverage = covers(draw, np.zeros(24), np.diag(scale**2), 400)
    assert 0.91 <= coverage <= 0.99


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["same", "shifted", "wider", "mixture"])
def test_interval_covers_the_expectation_at_the_size_of_the_digits_benchmark(kind):
    d, draws = 64, np.random.default_rng(9)
    a = draws.standard_normal((d, d)) * np.exp(-np.arange(d) / 15)
    root, centres = np.linalg.cholesky(a @ a.T / 8), draws.standard_normal((10, d))
    change = {
        "same": lambda x, r: x,
        "shifted": lambda x, r: x + 0.3,
        "wider": lambda x, r: 1.3 * x,
        "mixture": lambda x, r: x + centres[r.integers(0, 10, len(x))],
    }[kind]
    draw = lambda r: change(r.standard_normal((500, d)) @ root.T, r)  # noqa: E731
    assert 0.91 <= covers(draw, np.zeros(d), root @ root.T, 500) <= 0.99
