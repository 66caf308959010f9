"""How long measuring takes: `pytest benchmarks/test_measurement.py`, not part of the tests.

Ratios to other implementations are printed (`-s` shows them), for they depend less on the machine than seconds do.
"""

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from diffbench.metrics._distances import read_pairs
from diffbench.metrics._neighbours import BallsOf, nearest_others
from diffbench.metrics.coverage import Coverage
from diffbench.metrics.density import Density
from diffbench.metrics.fid import Fid, frechet_distance, moments
from diffbench.metrics.inception_score import InceptionScore, log_softmax
from diffbench.metrics.kid import Kid, _kernel
from diffbench.metrics.nearest_neighbour import NearestNeighbour
from diffbench.metrics.precision import Precision
from diffbench.metrics.recall import Recall

IN_ITS_OWN_PROCESS = """
import json, resource, sys, time
import numpy as np

def features(seed, shift, n={n}):
    draws = np.random.default_rng(seed)
    scale = np.exp(-np.arange(2048, dtype=np.float32) / 400)
    return draws.standard_normal((n, 2048), dtype=np.float32) * scale + np.float32(shift)

x, y = features(0, 0.02), features(1, 0.0)
{imports}
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start, started = time.perf_counter(), time.process_time()
value = {call}
seconds, cpu = time.perf_counter() - start, time.process_time() - started
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({{"value": value, "seconds": seconds, "cpu": cpu, "before": before / 2**20, "peak": peak / 2**20}}))
"""

PRECISION_AND_RECALL = {
    "diffbench": (
        "from diffbench.metrics.precision import Precision\nfrom diffbench.metrics.recall import Recall",
        "[float(found.value) for found in Precision.together([Precision(), Recall()], {'pool': x}, {'pool': y})]",
    ),
    "torch-fidelity": (
        "import torch\nfrom torch_fidelity import metric_prc",
        "[float(v) for v in metric_prc.prc_features_to_metric(torch.from_numpy(x), torch.from_numpy(y),"
        " prc_neighborhood=3, prc_batch_size=10000, verbose=False).values()][:2]",
    ),
}


def apart(imports: str, call: str, n: int = 10_000) -> dict:
    """Value, seconds (of the clock and of one core), and peak memory in GiB of a call on n x 2048 features.

    It runs in a process of its own with one thread, as the jobs do.
    """
    program = IN_ITS_OWN_PROCESS.format(imports=imports, call=call, n=n)
    one_thread = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=one_thread)
    return json.loads(done.stdout.splitlines()[-1])


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


def test_frechet_distance_at_2048_dimensions(benchmark, inception_like, statistics):
    (mu1, sigma1), (mu2, sigma2) = statistics
    covariance, _ = seconds(moments, inception_like[0])
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
    print(f"sqrtm {slowest / best:.1f} times as long; the covariance of 2,500 images apart: {covariance:.2f} s")
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


def test_precision_and_recall_of_10000_inception_features():
    rounds = [[apart(*PRECISION_AND_RECALL[name]) for name in ("diffbench", "torch-fidelity")] for _ in range(2)]
    own, peer = (min(runs, key=lambda run: run["cpu"]) for runs in zip(*rounds, strict=True))
    ratios = ", ".join(f"{other['cpu'] / mine['cpu']:.2f}" for mine, other in rounds)
    print(
        f"\nprecision and recall, 10,000 x 10,000 x 2,048, one thread: {own['cpu']:.1f} s of a core "
        f"({own['seconds']:.1f} s by the clock), peak {own['peak']:.2f} GiB; torch-fidelity {peer['cpu']:.1f} s "
        f"({peer['seconds']:.1f} s), peak {peer['peak']:.2f} GiB, in alternate runs {ratios} times as long"
    )
    for own, peer in rounds:
        assert own["value"] == pytest.approx(peer["value"], abs=2e-4)  # its distances are float32
        assert own["peak"] < 4


def test_kid_of_10000_inception_features():
    own = apart("from diffbench.metrics.kid import Kid", "Kid()({'pool': x}, {'pool': y}).value")
    subsets = apart("from diffbench.metrics.kid import Kid", "Kid(subsets=100)({'pool': x}, {'pool': y}).value")
    print(
        f"\nKID of the full sets, 10,000 x 10,000 x 2,048: {own['seconds']:.1f} s, peak {own['peak']:.2f} GiB; "
        f"100 subsets of 1,000: {subsets['seconds'] / own['seconds']:.1f} times as long"
    )
    assert own["peak"] < 4


def without_interval(name: str, x: np.ndarray, y: np.ndarray, logits: np.ndarray) -> float:
    """Each metric's value alone, written as short as it gets with this package's own pieces."""
    if name == "Kid":
        n, m = len(x), len(y)
        own, other = ((k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in (_kernel(x, x), _kernel(y, y)))
        return own + other - 2 * _kernel(x, y).sum() / (n * m)
    if name == "InceptionScore":
        log_p = log_softmax(logits)
        p = np.exp(log_p)
        return float(np.exp((p * (log_p - np.log(p.mean(axis=0)))).sum(axis=1).mean()))
    if name == "Recall":
        return float(inside_balls(x, y, 3).any(axis=0).mean())
    if name == "NearestNeighbour":
        from diffbench.metrics._neighbours import nearest

        return float(np.sqrt(nearest(x, y, 1)[1]).mean() / np.sqrt(nearest_others(y, 1)[1]).mean())
    inside = inside_balls(y, x, 3 if name == "Precision" else 5)
    if name == "Precision":
        return float(inside.any(axis=0).mean())
    return float(inside.any(axis=1).mean()) if name == "Coverage" else float(inside.sum() / 5 / len(x))


def inside_balls(centres: np.ndarray, points: np.ndarray, k: int) -> np.ndarray:
    """Which points are in the ball around each centre."""
    found = []
    radii = nearest_others(centres, k)[1][:, -1]
    read_pairs(centres, points, BallsOf(centres, points, radii, [lambda _, inside: found.append(inside)]))
    return np.concatenate(found)


@pytest.mark.parametrize(("n", "m", "d"), [(500, 1297, 64), (2500, 2500, 2048)], ids=["digits", "inception"])
def test_cost_of_the_intervals(n, m, d):
    draws = np.random.default_rng(0)
    x, y = draws.standard_normal((n, d)) + 0.02, draws.standard_normal((m, d))
    sets = {"pool": x, "logits": draws.standard_normal((n, 1000))}, {"pool": y}
    for metric in (Kid(), InceptionScore(), Precision(), Recall(), Density(), Coverage(), NearestNeighbour()):
        name = type(metric).__name__
        times = []
        for _ in range(3):
            alone, value = seconds(without_interval, name, x, y, sets[0]["logits"])
            whole, estimate = seconds(metric, *sets)
            times.append((whole, alone))
        whole, alone = (min(column) for column in zip(*times, strict=True))
        print(f"\n{name} of {n} and {m} x {d}: {whole:.3f} s, {whole / alone:.2f} times without its interval", end="")
        assert estimate.value == pytest.approx(value, rel=1e-6, abs=1e-9)


def test_extraction_of_500_digits(benchmark):
    import torch

    from diffbench.extractors.digits_features import DigitsFeatures

    torch.set_num_threads(1)
    images = np.random.default_rng(0).integers(0, 256, (500, 8, 8, 1), dtype=np.uint8)
    network = DigitsFeatures().network()
    benchmark(network, images)
