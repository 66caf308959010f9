"""How long measuring takes: `pytest benchmarks/test_measurement.py`, not part of the tests.

Ratios to other implementations are printed (`-s` shows them), for they depend less on the machine than seconds do.
"""

import time

import numpy as np
import pytest

from diffbench.metrics.fid import Fid, frechet_distance, moments
from diffbench.metrics.kid import Kid
from diffbench.metrics.precision import Precision
from diffbench.metrics.recall import Recall


@pytest.fixture(scope="module")
def inception_like():
    """Generated and reference features, 2500 x 2048 each."""
    draws = np.random.default_rng(0)
    scale = np.exp(-np.arange(2048) / 400)
    rotation = np.linalg.qr(draws.standard_normal((2048, 2048)))[0]
    return tuple((draws.standard_normal((2500, 2048)) * scale + shift) @ rotation for shift in (0.02, 0.0))


@pytest.fixture(scope="module")
def statistics(inception_like):
    return [moments(x) for x in inception_like]


def seconds(function, *arguments) -> tuple[float, float]:
    start = time.perf_counter()
    value = function(*arguments)
    return time.perf_counter() - start, value


def test_frechet_distance_at_2048_dimensions(benchmark, statistics):
    (mu1, sigma1), (mu2, sigma2) = statistics
    own = benchmark.pedantic(frechet_distance, (mu1, sigma1, mu2, sigma2), rounds=3, warmup_rounds=1)
    best = benchmark.stats.stats.min if benchmark.stats else seconds(frechet_distance, mu1, sigma1, mu2, sigma2)[0]

    from scipy.linalg import sqrtm
    from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_statistics_to_metric

    one, other = ({"mu": mu, "sigma": sigma} for mu, sigma in statistics)
    slower, peer = seconds(fid_statistics_to_metric, one, other, False)
    slowest, root = seconds(sqrtm, sigma1 @ sigma2)
    by_root = ((mu1 - mu2) ** 2).sum() + np.trace(sigma1) + np.trace(sigma2) - 2 * np.trace(root).real
    print(
        f"\nFrechet distance, 2048 dimensions: {best:.2f} s; torch-fidelity {slower / best:.1f} times, ",
        end="",
    )
    print(f"sqrtm {slowest / best:.1f} times as long")
    assert own == pytest.approx(peer[KEY_METRIC_FID], rel=1e-6)
    assert own == pytest.approx(by_root, rel=1e-6)


def test_fid_with_its_interval(benchmark, inception_like, statistics):
    x, _ = inception_like
    mu, sigma = statistics[1]
    benchmark.pedantic(Fid(), ({"pool": x}, {"mu": mu, "sigma": sigma}), rounds=2)
    alone, _ = seconds(lambda: frechet_distance(*moments(x), mu, sigma))
    if benchmark.stats:
        print(f"\nFID of 2500 images with its interval: {benchmark.stats.stats.min / alone:.1f} times without")


@pytest.mark.parametrize("metric", [Fid(), Kid(), Precision(), Recall()], ids=lambda metric: type(metric).__name__)
def test_metrics_at_the_size_of_the_digits_benchmark(benchmark, metric):
    draws = np.random.default_rng(0)
    benchmark(metric, {"pool": draws.standard_normal((500, 64))}, {"pool": draws.standard_normal((1297, 64))})


@pytest.mark.parametrize("metric", [Precision(), Recall()], ids=lambda metric: type(metric).__name__)
def test_neighbours_of_inception_features(benchmark, metric, inception_like):
    generated, reference = ({"pool": x} for x in inception_like)
    benchmark.pedantic(metric, (generated, reference), rounds=1)


def test_extraction_of_500_digits(benchmark):
    import torch

    from diffbench.extractors.digits_features import DigitsFeatures

    torch.set_num_threads(1)
    images = np.random.default_rng(0).integers(0, 256, (500, 8, 8, 1), dtype=np.uint8)
    network = DigitsFeatures().network()
    benchmark(network, images)
