"""How fast a benchmark's own networks train and sample, from a few steps of each.

Everything of a step counts: the images, the noise, the objective, the optimiser and the average.
"""

import dataclasses
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from diffbench.base.forward import Forward, forward_of, placed
from diffbench.base.seeds import Stream
from diffbench.base.sizes import shrunk_shape
from diffbench.benchmark.benchmark import Benchmark
from diffbench.benchmark.entries import Model, NoisyClassifier, SamplerEntry
from diffbench.benchmark.sample_set import SampleSet
from diffbench.commands.plan.data import Known
from diffbench.commands.plan.models import BACKWARD
from diffbench.commands.plan.networks import Counted, classifier_network, model_network
from diffbench.commands.plan.speed import Rates
from diffbench.commands.plan.work import works_of
from diffbench.diffusion.denoiser import ClippedDenoiser, Condition, ModelDenoiser
from diffbench.diffusion.parameterization import Prediction, X
from diffbench.diffusion.process import Level
from diffbench.samplers._contract import State
from diffbench.samplers.ddim import Ddim
from diffbench.training.data import TrainingData
from diffbench.training.loop import Trainer
from diffbench.training.tasks import Classification, Denoising, Task

AFFORDABLE = {"cpu": 1e10, "cuda": 1e12}
"""Floating-point operations that take less than a second on a slow device of each kind."""

ENOUGH_SECONDS, ENOUGH_STEPS = 0.15, 5
"""A network is timed for that long, or for that many steps, whichever is less."""

ALL_SECONDS = 1.5
"""After that many seconds no other network is timed; the rest are taken to be as fast as those before, on average."""


@dataclass(frozen=True)
class Candidate:
    """A network that can be timed. flops: of all jobs that use it."""

    counted: Counted
    name: str
    classifies: bool
    flops: int


def candidates(benchmark: Benchmark, known: Known) -> list[Candidate]:
    """Return each distinct network once, those with the most work first."""
    spent: dict[str, int] = {}
    for work in works_of(benchmark, known):
        for item in work.evaluations:
            spent[item.network] = spent.get(item.network, 0) + item.calls * item.flops
    found: dict[str, Candidate] = {}
    for name, _ in benchmark.used_models():
        counted = model_network(benchmark, name, known)
        found.setdefault(counted.key, Candidate(counted, name, False, spent.get(counted.key, 0)))
    for name, _ in benchmark.used_classifiers():
        counted = classifier_network(benchmark, name, known)
        found.setdefault(counted.key, Candidate(counted, name, True, spent.get(counted.key, 0)))
    return sorted(found.values(), key=lambda candidate: -candidate.flops)


def timed_all(
    benchmark: Benchmark, known: Known, candidates: list[Candidate], device: torch.device
) -> dict[str, Rates]:
    """Return the speeds of networks by their keys: of those that are small enough, as many as the time allows."""
    found: dict[str, Rates] = {}
    started, affordable = time.perf_counter(), AFFORDABLE[device.type]
    for candidate in candidates:
        late = time.perf_counter() - started > ALL_SECONDS
        if candidate.counted.flops <= affordable and not (found and late):
            found[candidate.counted.key] = _timed(benchmark, known, candidate, device)
    return found


def _timed(benchmark: Benchmark, known: Known, candidate: Candidate, device: torch.device) -> Rates:
    """Return how fast a network trains and samples. Where one of the two is not timed, it has the other's speed."""
    flops, affordable = candidate.counted.flops, AFFORDABLE[device.type]
    entry = (benchmark.classifiers if candidate.classifies else benchmark.models)[candidate.name]
    shape = shrunk_shape(known.shape, entry.size)
    network = _built(entry, shape, known)
    training = sampling = None
    if isinstance(entry, Model):
        batch = max(1, min(benchmark.sampling.micro_batch, int(affordable / flops)))
        numerics = benchmark.numerics.sample
        forward = forward_of(placed(network.eval(), numerics, device), numerics)
        sampling = flops * _sampled_rows(benchmark, entry, forward, shape, batch, device)
    task = _task(benchmark, entry, network)
    if task is not None and BACKWARD * flops <= affordable:
        batch = max(1, min(entry.training.batch_size, int(affordable / (BACKWARD * flops))))
        settings = dataclasses.replace(entry.training, batch_size=batch, random_crop=False)
        data = _blank(batch, shape, entry, known, benchmark.dataset.flip)
        trainer = Trainer(task, settings, data, 0, device, numerics=benchmark.numerics.train)
        training = BACKWARD * flops * batch / _seconds_of_step(trainer.advance, device)
    known_rate = sampling or training
    assert known_rate is not None or not candidate.classifies
    return Rates(sampling or known_rate or 0.0, training or known_rate or 0.0)


def _built(entry: Model | NoisyClassifier, shape: tuple[int, int, int], known: Known) -> nn.Module:
    if isinstance(entry, Model):
        return entry.network.build(shape, known.num_classes, entry.diffusion.learns_variance)
    return entry.network.build(shape, known.num_classes)


def _task(benchmark: Benchmark, entry: Model | NoisyClassifier, network: nn.Module) -> Task | None:
    """Return what the entry's training does; None for a checkpoint."""
    if entry.checkpoint is not None:
        return None
    if isinstance(entry, Model):
        levels = benchmark.dataset.levels
        return Denoising(network, entry.diffusion, entry.objective, levels, benchmark.numerics.train)
    return Classification(network, entry.diffusion, benchmark.numerics.train)


def _blank(
    count: int, shape: tuple[int, int, int], entry: Model | NoisyClassifier, known: Known, flip: bool
) -> TrainingData:
    """Return black images, whose training takes as long as that of others."""
    channels, height, width = shape
    labelled = known.num_classes is not None and (not isinstance(entry, Model) or entry.network.class_conditional)
    return TrainingData(
        images=np.zeros((count, height, width, channels), np.uint8),
        labels=torch.zeros(count, dtype=torch.int64) if labelled else None,
        flip=flip,
        low_size=entry.low_size if isinstance(entry, Model) else None,
    )


@torch.no_grad()
def _sampled_rows(
    benchmark: Benchmark,
    model: Model,
    forward: Forward,
    shape: tuple[int, int, int],
    batch: int,
    device: torch.device,
) -> float:
    """Return how many rows of the network a sampler of the benchmark takes in a second, without guidance."""
    entry, spacing = _walked(benchmark, model)
    chain = model.diffusion.chain(spacing)
    full_chain = len(chain) == model.diffusion.timesteps and entry.off_grid == "refuse"
    denoiser = ModelDenoiser.of(model.diffusion, forward, full_chain=full_chain, off_grid=entry.off_grid)
    clipped = ClippedDenoiser(denoiser)
    index, stream = torch.arange(batch), Stream(0, "step", device)
    condition = _condition(model, shape, batch, device)

    def conditioned(x: X, level: Level, given: Condition | None = None) -> Prediction:
        return clipped(x, level, condition)

    def states() -> Iterator[State]:
        while True:
            x_T = stream.normal(index, 0, shape)
            yield from entry.part(conditioned, chain, x_T, lambda draw: stream.normal(index, draw, shape))

    walk = states()
    next(walk)
    before = denoiser.rows
    _synchronise(device)
    started, steps = time.perf_counter(), 0
    while steps < ENOUGH_STEPS and (not steps or time.perf_counter() - started < ENOUGH_SECONDS):
        next(walk)
        steps += 1
    _synchronise(device)
    return (denoiser.rows - before) / (time.perf_counter() - started)


def _walked(benchmark: Benchmark, model: Model) -> tuple[SamplerEntry, str]:
    """Return a sampler and a spacing with which a model's weights are sampled, if possible without the bound's help."""

    def plain(row: SampleSet) -> bool:
        return not (benchmark.samplers[row.sampler].adaptive or benchmark.samplers[row.sampler].needs_error)

    rows = [row for row in benchmark.all_sets() if benchmark.variant(row.model).of == model.name and plain(row)]
    if not rows:
        return SamplerEntry("ddim", Ddim()), str(min(10, model.diffusion.timesteps))
    entry = benchmark.samplers[rows[0].sampler]
    return entry, entry.spacing(rows[0].steps)


def _condition(model: Model, shape: tuple[int, int, int], batch: int, device: torch.device) -> Condition:
    y = torch.zeros(batch, dtype=torch.int64, device=device) if model.network.class_conditional else None
    if model.low_size is None:
        return Condition(y)
    return Condition(y, torch.zeros(batch, *shrunk_shape(shape, model.low_size), device=device))


def _seconds_of_step(step: Callable[[], Any], device: torch.device) -> float:
    """Return the mean seconds of a step, after one that is not counted."""
    step()
    _synchronise(device)
    started, steps = time.perf_counter(), 0
    while steps < ENOUGH_STEPS and (not steps or time.perf_counter() - started < ENOUGH_SECONDS):
        step()
        steps += 1
    _synchronise(device)
    return (time.perf_counter() - started) / steps


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@torch.no_grad()
def convolution(device: torch.device) -> float:
    """Return the operations per second of a convolution."""
    layer, x = nn.Conv2d(256, 256, 3, padding=1, device=device), torch.zeros(8, 256, 32, 32, device=device)
    return 2 * 9 * 256 * 256 * 8 * 32 * 32 / _seconds_of_step(lambda: layer(x), device)
