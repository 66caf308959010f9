"""KDD: the kernel of dgm-eval on DINOv2's features."""

import numpy as np
import pytest

from diffbench.metrics.kdd import Kdd


def by_kernel(x: np.ndarray, y: np.ndarray) -> float:
    """The estimate of dgm-eval's `compute_mmd` for one subset that holds all images."""
    from sklearn.metrics.pairwise import polynomial_kernel

    own, other, mixed = (polynomial_kernel(a, b, degree=3, gamma=None, coef0=1) for a, b in ((x, x), (y, y), (x, y)))
    pairs = len(x) * (len(x) - 1)
    return (own.sum() - np.trace(own) + other.sum() - np.trace(other)) / pairs - 2 * mixed.mean()


@pytest.mark.parametrize(("n", "d"), [(60, 8), (12, 48)])
def test_is_dgm_evals_estimate_of_all_images(n, d, network_like):
    x, y = network_like(1, n, d, 0.3), network_like(2, n, d)
    found = Kdd()({"dinov2": x}, {"dinov2": y})
    assert found.value == pytest.approx(by_kernel(x, y), rel=1e-9, abs=1e-12)
    assert found.low < found.value < found.high


def test_reads_dinov2s_features_by_default():
    assert Kdd().features == "dinov2" and Kdd.label == "KDD" and not Kdd.higher_is_better
