"""How much time the layout of feature maps and deterministic kernels take: `python -m benchmarks.kernels`.

Prints the processor time of a training step and of a sampling step with one thread, for numerics in turn in one
process, so that other work on the machine changes all of them alike. The smallest of several rounds counts.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from diffbench.base.devices import prepare
from diffbench.base.forward import forward_of, placed
from diffbench.base.numerics import Numerics
from diffbench.benchmark.entries import Model
from diffbench.benchmark.load import load_benchmark
from diffbench.diffusion.denoiser import ClippedDenoiser, ModelDenoiser
from diffbench.samplers._batches import sample
from diffbench.samplers.ddim import Ddim
from diffbench.training.data import TrainingData
from diffbench.training.loop import Trainer
from diffbench.training.settings import Training
from diffbench.training.tasks import Denoising

CPU = torch.device("cpu")
CHOICES = {
    "as by default": Numerics(),
    "channels last": Numerics(channels_last=True),
    "not deterministic": Numerics(deterministic=False),
}
SETS = {"mnist": (28, 28, 1), "cifar10": (32, 32, 3)}


def trained(model: Model, shape: tuple[int, int, int], batch: int, numerics: Numerics) -> Callable[[], object]:
    """Return a function that takes one training step."""
    images = np.zeros((batch, *shape), np.uint8)
    network = model.network.build((shape[2], *shape[:2]), 10, model.diffusion.learns_variance)
    task = Denoising(network, model.diffusion, model.objective, 256, numerics)
    return Trainer(task, model.training, TrainingData(images, None, False), 0, CPU, numerics=numerics).advance


def sampled(model: Model, shape: tuple[int, int, int], batch: int, numerics: Numerics) -> Callable[[], object]:
    """Return a function that takes two sampling steps."""
    network = model.network.build((shape[2], *shape[:2]), 10, model.diffusion.learns_variance).eval()
    forward = forward_of(placed(network, numerics, CPU), numerics)
    denoiser, chain = ClippedDenoiser(ModelDenoiser.of(model.diffusion, forward)), model.diffusion.chain("2")
    where = (shape[2], *shape[:2])
    return lambda: sample(Ddim(), denoiser, chain, index=range(batch), shape=where, seed=0, micro_batch=batch)


def main() -> None:
    """Print a table of images/s, or image-steps/s, for a data set's network."""
    parser = argparse.ArgumentParser(description="the time of layouts and of deterministic kernels")
    parser.add_argument("name", choices=SETS)
    parser.add_argument("model")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    model = load_benchmark(Path(__file__).parents[1] / f"workflow/config/{given.name}.yaml").models[given.model]
    model = replace(model, training=Training(batch_size=given.batch))
    for kind, made, count in (("training", trained, given.batch), ("sampling", sampled, 2 * given.batch)):
        steps = {name: made(model, SETS[given.name], given.batch, numerics) for name, numerics in CHOICES.items()}
        times = dict.fromkeys(steps, float("inf"))
        for _ in range(given.rounds + 1):
            for name, numerics in CHOICES.items():
                prepare(numerics, 1, CPU)
                before = time.process_time()
                steps[name]()
                times[name] = min(times[name], time.process_time() - before)
        for name, took in times.items():
            ratio = times["as by default"] / took
            print(f"{given.name} {given.model} {kind}, {name}: {count / took:.1f} images/s, {ratio:.2f} times")


if __name__ == "__main__":
    main()
