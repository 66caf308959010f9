"""FID against hand-made cases, a nuclear norm in float64, torch-fidelity, and its interval against the truth."""

import numpy as np
import pytest

from diffbench.base.errors import UserError
from diffbench.metrics._frechet import Normal, measured, second_order_variance
from diffbench.metrics._intervals import mean_variance
from diffbench.metrics.fd_dinov2 import FdDinov2
from diffbench.metrics.fid import Fid, fid, frechet_distance, moments
from diffbench.metrics.sfid import Sfid


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


def rotated(variances: np.ndarray, seed: int = 0) -> np.ndarray:
    d = len(variances)
    rotation = np.linalg.qr(np.random.default_rng(seed).standard_normal((d, d)))[0]
    sigma = (rotation * variances) @ rotation.T
    return (sigma + sigma.T) / 2


def of_centred_normals(sigma1: np.ndarray, sigma2: np.ndarray) -> float:
    return frechet_distance(np.zeros(len(sigma1)), sigma1, np.zeros(len(sigma2)), sigma2)


def of_commuting(variances1: np.ndarray, variances2: np.ndarray) -> float:
    """The distance of covariances with the same eigenvectors and equal means."""
    return float(((np.sqrt(variances1) - np.sqrt(variances2)) ** 2).sum())


def test_small_directions_count():
    # (1 - 1)^2 + (2e-4 - 1e-4)^2: 2e-16 of the terms, which are near 1, is 4e-8 of it.
    assert of_centred_normals(np.diag([1, 4e-8]), np.diag([1, 1e-8])) == pytest.approx(1e-8, rel=1e-7)
    assert of_centred_normals(rotated([1, 4e-8]), rotated([1, 1e-8])) == pytest.approx(1e-8, rel=1e-6)


@pytest.mark.parametrize("turned", [False, True], ids=["diagonal", "rotated"])
@pytest.mark.parametrize("condition", [1e4, 1e7, 1e10, 1e13])
def test_ill_conditioned_covariances_have_their_closed_form(condition, turned):
    smaller = np.geomspace(10, 10 / condition, 200)
    make = rotated if turned else np.diag
    for larger in (1.1 * smaller, smaller[::-1]):
        found = of_centred_normals(make(larger), make(smaller))
        assert found == pytest.approx(of_commuting(larger, smaller), rel=1e-10)


@pytest.mark.parametrize("turned", [False, True], ids=["diagonal", "rotated"])
def test_many_small_directions_are_not_drawn_from_squares(turned):
    """Eigenvalues near 4e-13 beside one of 1 have an error of 1e-16: of their 199 roots 1e-9 would be left."""
    smaller = np.r_[1, np.full(199, 6.0e-7)]
    sigma = rotated(smaller) if turned else np.diag(smaller)
    assert of_centred_normals(1.21 * sigma, sigma) == pytest.approx(of_commuting(1.21 * smaller, smaller), abs=1e-13)


@pytest.mark.slow
def test_ill_conditioned_covariances_of_2048_dimensions():
    geometric = np.geomspace(10, 1e-6, 2048)
    assert of_centred_normals(np.diag(1.1 * geometric), np.diag(geometric)) == pytest.approx(3.037455, abs=5e-7)
    one_large = np.r_[1, np.full(2047, 6.0e-7)]
    assert of_centred_normals(1.21 * np.diag(one_large), np.diag(one_large)) == pytest.approx(0.010012282, abs=1e-12)


def same_but_for_small_directions(seed: int, n: int, d: int, wider: float) -> np.ndarray:
    """Features with one direction of variance 1, equal in every set, and others of variance 1e-9 that are not."""
    x = 3e-5 * wider * np.random.default_rng(seed).standard_normal((n, d))
    x[:, 0] = np.resize([-1.0, 1.0], n)
    return x


@pytest.mark.parametrize(("n", "m"), [(400, 600), (400, 20), (20, 600)])
def test_every_frechet_metric_sees_small_directions(n, m):
    x, y = same_but_for_small_directions(1, n, 24, 1.5), same_but_for_small_directions(2, m, 24, 1.0)
    expected = by_nuclear_norm(x, y)
    for metric, name in ((Fid(), "pool"), (Sfid(), "spatial"), (FdDinov2(), "dinov2")):
        estimate = metric({name: x}, {name: y})
        assert estimate.value == pytest.approx(expected, abs=1e-13) and estimate.low < estimate.high


def hard_inputs() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    draws = np.random.default_rng(5)
    x, y = draws.standard_normal((300, 24)), 1.2 * draws.standard_normal((400, 24)) + 0.1
    scales, mixing = np.geomspace(1e-4, 1e4, 24), draws.standard_normal((24, 24))
    constant = [z.copy() for z in (x, y)]
    constant[0][:, 3] = 0.7
    repeated = [np.hstack([z, z[:, :6], z[:, :2] + z[:, 2:4]]) for z in (x, y)]
    return {
        "rank deficient": tuple(repeated),
        "rank deficient, one side": (repeated[0], draws.standard_normal((200, 32))),
        "repeated images": (np.repeat(x[:20], 5, axis=0), y),
        "few images": (x[:15], y),
        "few reference images": (x, y[:15]),
        "few images on both sides": (x[:15], y[:10]),
        "as many images as dimensions": (x[:24], y[:25]),
        "scaled features": (x * scales, y * scales),
        "scaled, then mixed": ((x * scales) @ mixing, (y * scales) @ mixing),
        "one constant feature": tuple(constant),
        "all features constant": (np.ones((30, 24)), y),
        "equal means": (x - x.mean(axis=0), y - y.mean(axis=0)),
        "far from 0": (x + 1e5, y + 1e5),
    }


@pytest.mark.filterwarnings("ignore:Matrix is singular")
@pytest.mark.parametrize("kind", hard_inputs())
def test_hard_inputs_agree_with_a_nuclear_norm_and_with_peers(kind):
    from scipy.linalg import sqrtm

    x, y = hard_inputs()[kind]
    (mu1, sigma1), (mu2, sigma2) = moments(x), moments(y)
    expected, found = by_nuclear_norm(x, y), fid(x, y)
    assert found == pytest.approx(expected, rel=1e-8)
    assert frechet_distance(mu1, sigma1, mu2, sigma2) == pytest.approx(expected, rel=1e-8)
    assert by_torch_fidelity(x, y) == pytest.approx(found, rel=1e-4)
    root = np.trace(sqrtm(sigma1 @ sigma2)).real
    if np.isfinite(root):
        by_root = ((mu1 - mu2) ** 2).sum() + np.trace(sigma1) + np.trace(sigma2) - 2 * root
        assert by_root == pytest.approx(found, rel=1e-4)
    estimate = Fid()({"pool": x}, {"pool": y})
    assert estimate.value == found and np.isfinite([estimate.low, estimate.high]).all()


@pytest.mark.parametrize("kind", hard_inputs())
def test_equal_sets_are_at_distance_0(kind):
    for x in hard_inputs()[kind]:
        size = np.abs(x - x.mean(axis=0)).max() ** 2 * x.shape[1] + np.abs(x).max() * 1e-3
        estimate = Fid()({"pool": x}, {"pool": x})
        assert estimate.value == pytest.approx(0, abs=1e-12 * size)
        assert np.isfinite([estimate.low, estimate.high]).all()


@pytest.mark.parametrize(
    "sigma",
    [
        np.diag([1.0, -0.5]),
        np.array([[1.0, 2.0], [2.0, 1.0]]),
        np.array([[1.0, 0.5], [0.0, 1.0]]),
        np.array([[0.0, 0.5], [0.5, 1.0]]),
    ],
    ids=["negative variance", "correlation above 1", "not symmetric", "a constant that varies with another"],
)
def test_a_matrix_that_is_no_covariance_is_refused(sigma):
    x = np.random.default_rng(0).standard_normal((20, 2))
    with pytest.raises(UserError, match="reference: sigma: not a covariance"):
        Fid()({"pool": x}, {"mu": np.zeros(2), "sigma": sigma})
    with pytest.raises(UserError, match="not a covariance"):
        frechet_distance(np.zeros(2), np.eye(2), np.zeros(2), sigma)


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


@pytest.mark.parametrize(("n", "m"), [(120, 300), (120, 5), (8, 300)])
def test_influence_of_small_directions_is_the_derivative_too(n, m):
    """The large direction is equal in both sets and has no influence; all that is left is the small ones'."""
    x, y = same_but_for_small_directions(3, n, 10, 2.0), same_but_for_small_directions(4, m, 10, 1.0)
    value, found = measured(x, Normal.of_images(y)).value, measured(x, Normal.of_images(y)).influence
    assert value == pytest.approx(by_nuclear_norm(x, y), abs=1e-14)
    root = np.linalg.qr((y - y.mean(axis=0)) / np.sqrt(len(y) - 1), mode="r")

    def weighted(weights: np.ndarray) -> float:
        mean = weights @ x / weights.sum()
        own = np.sqrt(weights)[:, None] * (x - mean) / np.sqrt(n - 1)
        difference, product = mean - y.mean(axis=0), np.linalg.qr(own, mode="r") @ root.T
        return difference @ difference + (own**2).sum() - 2 * np.linalg.svd(product, compute_uv=False).sum()

    steps = np.eye(n) * 0.2
    derivative = np.array([(weighted(1 + step) - weighted(1 - step)) / 0.4 for step in steps])
    expected = derivative * (n - 1) - np.mean(derivative * (n - 1))
    centred = found - found.mean()
    assert np.abs(centred - expected).max() < 0.1 * np.abs(expected).max()


def test_second_order_variance_of_one_dimension_is_its_closed_form():
    # (mean - mu)^2 has the variance 2 sigma^4 / n^2, (s - sigma)^2 that of s^2 / (2 n) squared: sigma^4 / (2 n^2).
    assert second_order_variance(np.array([[3.0]]), np.array([3.0]), 50) == pytest.approx(2.5 * 9 / 2500, rel=1e-14)


@pytest.mark.parametrize("condition", [1.0, 1e2, 1e10], ids="condition {:.0e}".format)
def test_where_the_first_order_vanishes_the_variance_is_that_of_the_second(condition):
    """Images distributed as the reference: the spread of FID over 1,500 draws, against the closed form and estimates."""
    scale, n = np.geomspace(1, condition**-0.5, 5), 200
    reference, draws = Normal.of_moments(np.zeros(5), np.diag(scale**2)), np.random.default_rng(1)
    runs = [measured(draws.standard_normal((n, 5)) * scale, reference) for _ in range(1500)]
    truth = np.var([run.value for run in runs])
    # The variance of 1,500 such values is known to about 7 %.
    assert second_order_variance(np.diag(scale**2), scale**2, n) == pytest.approx(truth, rel=0.2)
    assert np.mean([run.second_order for run in runs]) == pytest.approx(truth, rel=0.2)
    # The jackknife alone counts it twice, so that the variance of a run is the jackknife's less it, or it alone.
    assert np.mean([mean_variance(run.influence) for run in runs]) == pytest.approx(2 * truth, rel=0.2)
    for run in runs[:50]:
        first, second = mean_variance(run.influence), run.second_order
        assert run.variance == (first - second if first > 2 * second else second)


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
