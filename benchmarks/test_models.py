"""How long training and sampling take: `pytest benchmarks/test_models.py -s`, not part of the tests.

Networks of the default benchmark, one thread, as its jobs run. Shares and ratios are printed, for they depend less on
the machine than seconds do.
"""

from pathlib import Path

import numpy as np
import pytest
import torch

from diffbench.base.devices import prepare
from diffbench.base.numerics import DEFAULT_NUMERICS
from diffbench.base.plugins import load, names
from diffbench.base.seeds import Stream
from diffbench.benchmark.load import load_benchmark
from diffbench.diffusion.denoiser import ClippedDenoiser, ModelDenoiser
from diffbench.diffusion.parameterization import Prediction
from diffbench.samplers._batches import sample
from diffbench.training.data import TrainingData
from diffbench.training.loop import Trainer
from diffbench.training.tasks import Denoising

CONFIG = Path(__file__).parents[1] / "workflow/config/digits.yaml"
SHAPE = (1, 8, 8)
IMAGES = 100
"""A micro-batch of the default benchmark."""

STEPS = 10


@pytest.fixture(scope="module")
def entry():
    prepare(DEFAULT_NUMERICS, 1, torch.device("cpu"))
    return load_benchmark(CONFIG).models["iddpm"]


@pytest.fixture(scope="module")
def network(entry):
    return entry.network.build(SHAPE, 10, entry.diffusion.learns_variance).eval()


def best(benchmark) -> float:
    """Return the smallest time seen, in seconds: the one least disturbed by other work on the machine."""
    return benchmark.stats.stats.min


def test_training_step(benchmark, entry):
    images = np.random.default_rng(0).integers(0, 256, (1000, 8, 8, 1), dtype=np.uint8)
    data = TrainingData(images, None, flip=False)
    fresh = entry.network.build(SHAPE, 10, entry.diffusion.learns_variance)
    task = Denoising(fresh, entry.diffusion, entry.objective, levels=17)
    trainer = Trainer(task, entry.training, data, 0, torch.device("cpu"))
    benchmark.pedantic(trainer.advance, rounds=20, warmup_rounds=3)
    print(f"\ntraining step, {entry.training.batch_size} images: {1e3 * best(benchmark):.1f} ms")


def test_sampling_step(benchmark, entry, network):
    from diffbench.samplers.ancestral import Ancestral

    denoiser = ClippedDenoiser(ModelDenoiser.of(entry.diffusion, network))
    chain = entry.diffusion.chain(str(STEPS))

    def run():
        return sample(Ancestral(), denoiser, chain, index=range(IMAGES), shape=SHAPE, seed=0, micro_batch=IMAGES)

    benchmark.pedantic(run, rounds=5, warmup_rounds=1)
    print(f"\nsampling step, {IMAGES} images: {1e3 * best(benchmark) / STEPS:.1f} ms")


def test_noise_against_a_network_evaluation(benchmark, network):
    stream, index, x = Stream(0, "step"), torch.arange(IMAGES), torch.zeros(IMAGES, *SHAPE)
    benchmark.pedantic(lambda: stream.normal(index, 3, SHAPE), rounds=50, warmup_rounds=5)
    evaluation = timed(lambda: network(x, torch.zeros(IMAGES)))
    print(f"\nnoise of a sampling step: {100 * best(benchmark) / evaluation:.1f} % of a network evaluation")


@pytest.fixture(scope="module")
def cifar10():
    """The CIFAR-10 network of improved DDPM, a batch for it, and what one evaluation of that takes."""
    prepare(DEFAULT_NUMERICS, 1, torch.device("cpu"))
    model = load_benchmark(CONFIG.with_name("cifar10.yaml")).models["iddpm"]
    network = model.network.build((3, 32, 32), 10, model.diffusion.learns_variance).eval()
    x = Stream(0, "x_T").normal(torch.arange(4), 0, (3, 32, 32))
    return model.diffusion, x, timed(lambda: network(x, torch.zeros(len(x))), repeats=2)


@pytest.mark.parametrize("name", names("samplers"))
def test_arithmetic_of_a_sampler(benchmark, cifar10, name):
    """The sampler with a denoiser that costs nothing, against the CIFAR-10 network's share of the same walk."""
    diffusion, x, evaluation = cifar10
    # From 80, as the solvers' own grids do.
    chain = diffusion.chain(f"log_snr{STEPS}")
    share, error = torch.zeros_like(x), torch.tensor(0.1, dtype=torch.float64)
    sampler, calls = load("samplers", name)(), []

    def said(at, level, condition=None):
        calls.append(len(at))
        return Prediction(x_0=0.5 * x, eps=x, variance_fraction=share, x_0_variance=error)

    def walk():
        for _ in sampler(said, chain, x, lambda i: x):
            pass

    walk()
    evaluations = len(calls)
    benchmark.pedantic(walk, rounds=20, warmup_rounds=2)
    spent = best(benchmark) / evaluations
    share = 100 * spent / evaluation
    print(f"\n{name}: {1e3 * spent:.2f} ms, {share:.2f} % of an evaluation ({1e3 * evaluation:.0f} ms)")


def timed(function, repeats: int = 10) -> float:
    """Return the smallest time of several calls without gradients, in seconds."""
    import time

    times = []
    with torch.no_grad():
        for _ in range(repeats):
            started = time.perf_counter()
            function()
            times.append(time.perf_counter() - started)
    return min(times)
