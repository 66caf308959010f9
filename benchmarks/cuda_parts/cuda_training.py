"""The end of benchmarks/cuda.py: a training on CIFAR-10 for the time that is left, and a grid of its samples."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from cuda_plan import FAST, FASTEST, KNOWN, Plan
from PIL import Image

from diffbench.base.errors import UserError
from diffbench.base.forward import Forward, forward_of
from diffbench.base.images import rounded
from diffbench.base.numerics import DEFAULT_NUMERICS, Numerics
from diffbench.base.plugins import load
from diffbench.commands.bench.asked import Choices
from diffbench.commands.bench.networks import fresh
from diffbench.commands.steps import synchronise
from diffbench.datasets.cifar10 import Cifar10
from diffbench.diffusion.denoiser import ClippedDenoiser, ModelDenoiser
from diffbench.samplers._batches import sample
from diffbench.training.data import TrainingData
from diffbench.training.loop import Trainer
from diffbench.training.tasks import Denoising

PART = "train on data"

SAMPLING_SECONDS = 25.0
"""What is left for the grid after the training."""

GRID = 8
"""Pictures in a row and in a column of the grid."""


def trained(plan: Plan, data: Path) -> None:
    """Train the model on CIFAR-10 until the time is nearly over, and write a grid of its samples."""
    split = Cifar10(str(data)).open("train")
    images = np.concatenate(list(split.chunks))
    plan.run.book.add(PART, f"{len(images):,} images from {data.name}", images=len(images))
    trainer, numerics = started(plan, TrainingData(images, None, flip=True))
    began, first = time.perf_counter(), trainer.step
    while plan.run.left() > (2.0 if plan.dry else SAMPLING_SECONDS) and not (plan.dry and trainer.step == 3):
        for _ in range(1 if plan.dry else 20):
            trainer.advance()
        synchronise(plan.device)
    seconds = max(1e-6, time.perf_counter() - began)
    rate, count = (trainer.step - first) * plan.batches[0] / seconds, trainer.step * plan.batches[0]
    words = f"{trainer.step:,} steps, {count:,} images in {seconds:.0f} s, {rate:,.0f} images/s, {numerics}"
    plan.run.book.add(PART, words, steps=trainer.step, images=count, seconds=seconds, images_per_second=rate)
    trainer.network.load_state_dict(trainer.average.state_dict(), strict=False)
    file = grid(plan, forward_of(trainer.network.eval(), numerics))
    plan.run.book.add(PART, f"samples of the averaged weights: {file.name}", file=file.name)


def started(plan: Plan, data: TrainingData) -> tuple[Trainer, Numerics]:
    """Return a training that has taken its first step, as fast as this machine can compute it, and how it computes."""
    model, settings = plan.model, replace(plan.model.training, batch_size=plan.batches[0])
    for choices in (Choices(),) if plan.dry else (FASTEST, FAST, Choices()):
        numerics = choices.over(DEFAULT_NUMERICS)
        try:
            plan.place.prepare(numerics)
            network = fresh(plan.bench(choices), plan.candidate)
            task = Denoising(network, model.diffusion, model.objective, plan.benchmark.dataset.levels, numerics)
            trainer = Trainer(task, settings, data, 0, plan.device, numerics=numerics)
            trainer.advance()
            synchronise(plan.device)
            return trainer, numerics
        except Exception as error:
            plan.run.book.fail(PART, error)
    raise UserError("no way to compute a training step works")


def grid(plan: Plan, forward: Forward) -> Path:
    """Write samples of a network as one picture, and return its file. forward: the network's forward pass."""
    steps, count = (5, 4) if plan.dry else (50, GRID**2)
    denoiser = ClippedDenoiser(ModelDenoiser.of(plan.model.diffusion, forward, full_chain=False))
    chain = plan.model.diffusion.chain(str(steps))
    drawn = sample(
        load("samplers", "ddim")(),
        denoiser,
        chain,
        index=range(count),
        shape=KNOWN.shape,
        seed=0,
        micro_batch=count,
        device=plan.device,
    )
    across = int(count**0.5)
    framed = np.pad(rounded(drawn), ((0, 0), (0, 1), (0, 1), (0, 0)), constant_values=255)
    rows = [np.concatenate(list(row), axis=1) for row in np.split(framed, across)]
    picture = Image.fromarray(np.concatenate(rows))
    file = plan.run.book.folder / "samples.png"
    picture.resize((3 * picture.width, 3 * picture.height), Image.Resampling.NEAREST).save(file)
    return file
