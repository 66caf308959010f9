"""FID-infinity: hand-made cases, a known Frechet distance, FID's bias, its interval against that truth."""

import numpy as np
import pytest

from diffbench.base.errors import UserError
from diffbench.metrics._frechet import Normal
from diffbench.metrics._intervals import canonical_order
from diffbench.metrics.fid import fid, moments
from diffbench.metrics.fid_infinity import SEED, FidInfinity, _curve, _intercept_weights, fid_infinity

D = 24
SCALE = np.exp(-np.arange(D) / 12)
REFERENCE = {"mu": np.zeros(D), "sigma": np.diag(SCALE**2)}


def drawn(seed: int, n: int, shift: float, spread: float) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal((n, D)) * spread + shift) * SCALE


def true_distance(shift: float, spread: float) -> float:
    """Commuting covariances: the means' distance and that of the standard deviations."""
    return float(((shift * SCALE) ** 2).sum() + (((spread - 1) * SCALE) ** 2).sum())


def test_weights_are_the_intercept_of_least_squares():
    np.testing.assert_allclose(_intercept_weights(2), [2, -1], atol=1e-12)
    np.testing.assert_allclose(_intercept_weights(3), np.array([4, 1, -2]) / 3, atol=1e-12)
    for points in range(2, 9):
        w, k = _intercept_weights(points), np.arange(1, points + 1)
        # A line through a + b K / N gives a.
        assert w @ (3 + 5 * k / 700) == pytest.approx(3, rel=1e-12)
        # The factor on the second-order variance that the interval relies on.
        assert 1 + w**2 @ (k - 1) == pytest.approx(2, rel=1e-12)


def test_curve_starts_at_fid_and_is_the_mean_over_blocks():
    x, y = drawn(1, 200, 0.2, 1.1), drawn(2, 300, 0, 1)
    curve = _curve(x, Normal.of_images(y), 3)
    assert curve[0] == pytest.approx(fid(x, y), rel=1e-9)
    assert curve[0] < curve[1] < curve[2]
    assert fid_infinity(x, y) == pytest.approx(_intercept_weights(3) @ curve, rel=1e-12)
    assert fid_infinity(x, y, points=2) == pytest.approx(2 * curve[0] - curve[1], rel=1e-12)


def test_curve_counts_directions_of_a_billionth_of_the_largest_variance():
    draws, scale = np.random.default_rng(0), np.r_[1.0, np.full(5, 3e-5)]
    x, y = 1.1 * draws.standard_normal((60, 6)) * scale, draws.standard_normal((80, 6)) * scale
    root = (y - y.mean(axis=0)) / np.sqrt(len(y) - 1)

    def exact(block: np.ndarray) -> float:
        own, difference = (block - block.mean(axis=0)) / np.sqrt(len(block) - 1), block.mean(axis=0) - y.mean(axis=0)
        return (difference @ difference + (own**2).sum() + (root**2).sum()) - 2 * np.linalg.svd(
            own @ root.T, compute_uv=False
        ).sum()

    order, generator = canonical_order(x), np.random.Generator(np.random.PCG64(SEED))
    blocks = [np.array_split(order[generator.permutation(60)], k) for k in (1, 2)]
    expected = [np.mean([exact(x[block]) for block in some]) for some in blocks]
    np.testing.assert_allclose(_curve(x, Normal.of_images(y), 2), expected, rtol=0, atol=1e-13)


def test_of_repeated_points_of_one_dimension():
    # Every block of equal images but for position: mean 3 from 1, no variance, hence 4 + 1 at each n.
    x, mu, sigma = np.full((12, 1), 3.0), np.array([1.0]), np.eye(1)
    np.testing.assert_allclose(_curve(x, Normal.of_moments(mu, sigma), 3), 5, rtol=1e-12)


def test_neither_the_order_of_images_nor_a_global_seed_matters():
    x = drawn(1, 150, 0.2, 1.1)
    first = FidInfinity()({"pool": x}, REFERENCE)
    np.random.seed(5)
    assert FidInfinity()({"pool": x[np.random.default_rng(3).permutation(150)]}, REFERENCE).value == first.value


def test_stored_moments_are_a_reference():
    x, y = drawn(1, 150, 0.2, 1.1), drawn(2, 200, 0, 1)
    mu, sigma = moments(y)
    assert FidInfinity()({"pool": x}, {"mu": mu, "sigma": sigma}) == FidInfinity()({"pool": x}, {"pool": y})


@pytest.mark.parametrize(("shift", "spread"), [(0.0, 1.0), (0.0, 1.2), (0.3, 1.2)])
def test_is_nearer_to_the_true_distance_than_fid(shift, spread):
    n, trials = 300, 60
    samples = [drawn(i, n, shift, spread) for i in range(trials)]
    plain = np.array([_curve(x, Normal.of_moments(*REFERENCE.values()), 1)[0] for x in samples])
    extrapolated = np.array([FidInfinity()({"pool": x}, REFERENCE).value for x in samples])
    truth = true_distance(shift, spread)
    bias, left = plain.mean() - truth, extrapolated.mean() - truth
    error = extrapolated.std() / np.sqrt(trials)
    assert bias > 4 * plain.std() / np.sqrt(trials)
    assert abs(left) < 4 * error and abs(left) < bias / 3


def test_bias_of_fid_is_halved_by_twice_the_images_and_that_of_fid_infinity_stays_zero():
    truth = true_distance(0.0, 1.2)
    mean = {n: np.mean([fid_at(i, n) for i in range(80)], axis=0) - truth for n in (200, 400)}
    assert mean[200][0] / mean[400][0] == pytest.approx(2, abs=0.5)
    assert max(abs(mean[n][1]) for n in mean) < 0.15 * mean[400][0] + 0.01


def fid_at(seed: int, n: int) -> np.ndarray:
    curve = _curve(drawn(seed, n, 0.0, 1.2), Normal.of_moments(*REFERENCE.values()), 3)
    return np.array([curve[0], _intercept_weights(3) @ curve])


def test_bad_settings_and_too_few_images_are_refused():
    assert FidInfinity().fewest_of(24) == 78
    with pytest.raises(UserError, match="points = 1"):
        FidInfinity(points=1)
    x = drawn(1, 77, 0, 1)
    with pytest.raises(UserError, match="77 images, but 78 are needed for 24 dimensions and points = 3"):
        FidInfinity()({"pool": x}, REFERENCE)
    assert np.isfinite(FidInfinity(points=2)({"pool": x}, REFERENCE).value)
    with pytest.raises(UserError, match="generated has 24 dimensions, reference 4"):
        FidInfinity()({"pool": x}, {"pool": x[:, :4]})
    with pytest.raises(UserError, match="reference: mu"):
        FidInfinity()({"pool": x}, {"mu": np.zeros(D), "sigma": np.eye(3)})


@pytest.mark.slow
@pytest.mark.parametrize(("shift", "spread"), [(0.0, 1.0), (0.0, 1.2), (0.3, 1.2)])
def test_interval_covers_the_true_distance(shift, spread):
    truth = true_distance(shift, spread)
    runs = [FidInfinity()({"pool": drawn(i, 500, shift, spread)}, REFERENCE) for i in range(300)]
    assert 0.90 <= np.mean([e.low <= truth <= e.high for e in runs]) <= 0.985
