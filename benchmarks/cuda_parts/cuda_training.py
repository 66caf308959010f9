"""The end of benchmarks/cuda.py: a training on CIFAR-10 for the time that is left, and a grid of its samples."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from cuda_plan import FASTEST, KNOWN, Plan
from PIL import Image

from diffbench.base.forward import Forward, forward_of
from diffbench.base.images import rounded
from diffbench.base.numerics import Numerics
from diffbench.base.plugins import load
from diffbench.commands.bench.networks import fresh
from diffbench.commands.steps import synchronise
from diffbench.datasets.cifar10 import Cifar10
from diffbench.diffusion.denoiser import ClippedDenoiser, ModelDenoiser
from diffbench.samplers._batches import sample
from diffbench.training.data import TrainingData
from diffbench.training.loop import Trainer
from diffbench.training.tasks import Denoising

SAMPLING_SECONDS = 25.0
"""What is left for the grid after the training."""

GRID = 8
"""Pictures in a row and in a column of the grid."""


def trained(plan: Plan, data: Path) -> None:
    """Train the model on CIFAR-10 until the time is nearly over, and write a grid of its samples."""
    split = Cifar10(str(data)).open("train")
    images = np.concatenate(list(split.chunks))
    plan.run.book.add("train on data", f"{len(images):,} images from {data.name}", images=len(images))
    network, model = fresh(plan.bench(FASTEST), plan.candidate), plan.model
    settings = replace(model.training, batch_size=plan.batches[0])
    numerics = Numerics() if plan.dry else FASTEST.over(None)
    plan.place.prepare(numerics)
    task = Denoising(network, model.diffusion, model.objective, plan.benchmark.dataset.levels, numerics)
    trainer = Trainer(task, settings, TrainingData(images, None, flip=True), 0, plan.device, numerics=numerics)
    started = time.perf_counter()
    while plan.run.left() > (2.0 if plan.dry else SAMPLING_SECONDS) and not (plan.dry and trainer.step == 3):
        for _ in range(1 if plan.dry else 20):
            trainer.advance()
        synchronise(plan.device)
    count, seconds = trainer.step * settings.batch_size, time.perf_counter() - started
    speed = f"{seconds:.0f} s, {count / seconds:,.0f} images/s"
    speed = f"{seconds:.0f} s, {count / seconds:,.0f} images/s"
    words = f"{trainer.step:,} steps, {count:,} images in {speed}, {numerics}"
    plan.run.book.add("train on data", words, steps=trainer.step, images=count, seconds=seconds)
    trainer.network.load_state_dict(trainer.average.state_dict(), strict=False)
    file = grid(plan, forward_of(trainer.network.eval(), numerics))
    plan.run.book.add("train on data", f"samples of the averaged weights: {file.name}", file=file.name)


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
    rows = [np.concatenate(list(row), axis=1) for row in np.split(rounded(drawn), across)]
    picture = Image.fromarray(np.concatenate(rows))
    file = plan.run.book.folder / "samples.png"
    picture.resize((3 * picture.width, 3 * picture.height), Image.Resampling.NEAREST).save(file)
    return file
