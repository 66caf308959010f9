"""Density and coverage: hand-made cases, ties, prdc, coverage's jackknife against leaving images out, intervals."""

import numpy as np
import pytest

from diffbench.base.errors import UserError
from diffbench.metrics import _distances
from diffbench.metrics._neighbours import BallsOf, nearest_others
from diffbench.metrics.coverage import Coverage, _Covered, coverage
from diffbench.metrics.density import Density, density

PARTS = [Density, Coverage]


def test_by_hand():
    # k = 1. Reference 0, 1, 3: radii 1, 1, 2, so the balls are [-1, 1], [0, 2] and [1, 5].
    y = np.array([[0.0], [1], [3]])
    # In how many balls: -1 in 1, on its boundary; 0.5 in 2; 1 in 3; 6 in 0.
    x = np.array([[-1.0], [0.5], [1], [6]])
    assert density(x, y, k=1) == 1.5
    assert coverage(x, y, k=1) == 1
    assert coverage(x[[0, 1, 3]], y, k=1) == 2 / 3
    # k = 2, reference 0, 1, 3, 100: balls [-3, 3], [-1, 3], [0, 6] and the outlier's [1, 199], which hold -3, 6, 6.5
    # and 7 once, twice, once, once.
    y, x = np.array([[0.0], [1], [3], [100]]), np.array([[-3.0], [6], [6.5], [7]])
    assert density(x, y, k=2) == 5 / 4 / 2
    assert coverage(x, y, k=2) == 3 / 4


@pytest.mark.parametrize("k", [1, 5])
@pytest.mark.parametrize("d", [2, 64])
def test_agrees_with_prdc_where_nothing_is_tied(d, k, network_like):
    from prdc import compute_prdc

    x, y = network_like(1, 300, d, 0.1) + 0.01, network_like(2, 400, d)
    x, y = (z + 1e-3 * np.random.default_rng(len(z)).standard_normal(z.shape) for z in (x, y))
    theirs = compute_prdc(real_features=y, fake_features=x, nearest_k=k)
    assert (density(x, y, k), coverage(x, y, k)) == pytest.approx((theirs["density"], theirs["coverage"]), abs=1e-12)
    assert 0 < coverage(x, y, k) < 1


def test_ties_on_a_grid_count_as_inside():
    from prdc import compute_prdc

    draws = np.random.default_rng(0)
    x, y = draws.integers(0, 6, (200, 3)).astype(float), draws.integers(0, 6, (250, 3)).astype(float)
    squared = ((x[:, None] - y[None]) ** 2).sum(axis=2)
    radii = np.sort(((y[:, None] - y[None]) ** 2).sum(axis=2), axis=1)[:, 5]
    assert density(x, y) == pytest.approx((squared <= radii).sum(axis=1).mean() / 5, rel=1e-14)
    assert coverage(x, y) == (squared <= radii).any(axis=0).mean()
    theirs = compute_prdc(real_features=y, fake_features=x, nearest_k=5)
    assert theirs["density"] < density(x, y) and theirs["coverage"] <= coverage(x, y)


def test_an_outlier_among_the_reference_adds_little_density():
    """Naeem et al. 2020, section 3: precision is fooled by one far reference image, density by 1 / k."""
    draws = np.random.default_rng(0)
    y = np.concatenate([draws.standard_normal((99, 2)), [[60.0, 0.0]]])
    x = draws.standard_normal((50, 2)) * 0.1 + [30, 0]
    assert density(x, y) == 0.2 and coverage(x, y) == 0.01


@pytest.mark.parametrize("kind", ["continuous", "grid"])
@pytest.mark.parametrize("k", [1, 5])
def test_leave_one_out_is_what_leaving_out_gives(kind, k, monkeypatch):
    draws = np.random.default_rng(k)
    x, y = 0.8 * draws.standard_normal((40, 3)), draws.standard_normal((60, 3))
    if kind == "grid":
        x, y = np.round(2 * x), np.round(2 * y)
    half = draws.permutation(40) < 20
    expected = [coverage(np.delete(x, i, axis=0), y, k) for i in range(40)]
    expected_of_half = [coverage(np.delete(x[half], i, axis=0), y, k) for i in range(20)]
    for entries in (_distances.BLOCK_ENTRIES, 700):
        monkeypatch.setattr(_distances, "BLOCK_ENTRIES", entries)
        subsets = np.array([np.ones(40, bool), half])
        found = _Covered(subsets)
        _distances.read_pairs(y, x, BallsOf(y, x, nearest_others(y, k)[1][:, -1], [found.take]))
        covered, changes = found.covered, found.changes
        assert covered[0] / 60 == coverage(x, y, k) and covered[1] / 60 == coverage(x[half], y, k)
        np.testing.assert_allclose((covered[0] + changes[0]) / 60, expected, atol=1e-12)
        np.testing.assert_allclose((covered[1] + changes[1])[half] / 60, expected_of_half, atol=1e-12)


def test_intervals_do_not_collapse_where_nothing_or_everything_is_covered():
    y = np.random.default_rng(0).standard_normal((40, 3))
    for part in (Density(), Coverage()):
        none = part({"pool": y + 1000}, {"pool": y})
        assert none.value == none.low == 0 and none.high == pytest.approx(1.96**2 / (40 + 1.96**2), rel=1e-4)
    everything = Coverage()({"pool": np.repeat(y, 3, axis=0)}, {"pool": y})
    assert everything.value == everything.high == 1 and 0.9 < everything.low < 1


def test_only_the_first_reference_images_have_balls():
    draws = np.random.default_rng(0)
    x, y = draws.standard_normal((40, 3)), draws.standard_normal((60, 3)) + 0.5
    for part in PARTS:
        whole = part()({"pool": x}, {"pool": y[:20]})
        assert part(num_reference=20)({"pool": x}, {"pool": y}) == whole
        assert part()({"pool": x}, {"pool": y}) != whole


@pytest.mark.parametrize("part", PARTS)
def test_bad_settings_and_too_few_images_are_refused(part, network_like):
    with pytest.raises(UserError, match="k = 0"):
        part(k=0)
    with pytest.raises(UserError, match="at least k \\+ 2"):
        part(num_reference=6)
    x = network_like(1, 20, 3)
    with pytest.raises(UserError, match="6 images, but 7 are needed"):
        part()({"pool": x[:6]}, {"pool": x})
    with pytest.raises(UserError, match="generated has 3 dimensions, reference 2"):
        part()({"pool": x}, {"pool": x[:, :2]})
    with pytest.raises(UserError, match="^reference features 'pool': NaN"):
        part()({"pool": x}, {"pool": np.full((20, 3), np.nan)})


def test_expected_coverage_of_equal_distributions_is_the_closed_form():
    k, m, n = 5, 60, 40
    runs = []
    for i in range(200):
        draws = np.random.default_rng(i)
        runs.append(coverage(draws.standard_normal((n, 4)), draws.standard_normal((m, 4)), k))
    expected = 1 - np.prod([(m - 1 - i) / (n + m - 1 - i) for i in range(k)])
    assert np.mean(runs) == pytest.approx(expected, abs=4 * np.std(runs) / np.sqrt(200))
