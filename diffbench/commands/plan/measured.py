"""The speed of this machine, from a few steps of training and sampling with a benchmark's own networks.

Everything of a step counts: the images, the noise, the objective, the optimiser and the average. On a CPU the steps run
in as many processes as there will be jobs, because these compete for memory.
"""

import dataclasses
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import torch
from torch import nn

from diffbench.base.devices import chosen_device, make_deterministic
from diffbench.base.seeds import Stream
from diffbench.base.sizes import shrunk_shape
from diffbench.benchmark.benchmark import Benchmark
from diffbench.benchmark.entries import Model, NoisyClassifier, SamplerEntry
from diffbench.benchmark.sample_set import SampleSet
from diffbench.commands.plan.data import Known
from diffbench.commands.plan.models import BACKWARD
from diffbench.commands.plan.networks import Counted, classifier_network, model_network
from diffbench.commands.plan.speed import START_UP_SECONDS, Rates, Speed
from diffbench.commands.plan.work import works_of
from diffbench.diffusion.denoiser import ClippedDenoiser, Condition, ModelDenoiser
from diffbench.diffusion.parameterization import Prediction, X
from diffbench.diffusion.process import Level
from diffbench.samplers._contract import State
from diffbench.training.data import TrainingData
from diffbench.training.loop import Trainer
from diffbench.training.tasks import Classification, Denoising, Task

AFFORDABLE = {"cpu": 1e10, "cuda": 1e12}
"""Floating-point operations that take less than a second on a slow device of each kind."""

ENOUGH_SECONDS, ENOUGH_STEPS = 0.15, 5
"""A network is timed for that long, or for that many steps, whichever is less."""

ALL_SECONDS = 1.5
"""After that many seconds no other network is timed; the rest are taken to be as fast as those before, on average."""

MOST_PROCESSES = 8


@dataclass(frozen=True)
class _Candidate:
    """A network that can be timed. flops: of all jobs that use it."""

    counted: Counted
    name: str
    classifies: bool
    flops: int


@dataclass(frozen=True)
class _Found:
    """The speeds that a process found by network, and the share of the time in which it had a core."""

    rates: dict[str, Rates]
    share: float


def measured_speed(
    benchmark: Benchmark, known: Known, *, workers: int = 1, device: str = "auto", start_up: float = START_UP_SECONDS
) -> Speed:
    """Return the speed of a job on this machine while `workers` of them run side by side. It takes about two seconds.

    start_up: seconds in which a process starts, which cannot be measured in a process that has started.
    """
    threads = benchmark.execution.threads
    chosen = chosen_device(device)
    candidates = _candidates(benchmark, known)
    count = min(workers, max(1, (os.cpu_count() or 1) // threads), MOST_PROCESSES)

    def task() -> _Found:
        make_deterministic(threads)
        began, used = time.perf_counter(), time.process_time()
        rates = _timed_all(benchmark, known, candidates, chosen)
        return _Found(rates, (time.process_time() - used) / (time.perf_counter() - began))

    # A fork has neither this process's CUDA nor its pool of threads, so those are timed here.
    forked = chosen.type == "cpu" and threads == 1 and hasattr(os, "fork")
    found = _side_by_side(task, count) if forked else [task()]
    timed = dict.fromkeys(key for one in found for key in one.rates)
    own = {key: _mean([one.rates[key] for one in found if key in one.rates]) for key in timed}
    where = torch.cuda.get_device_name(chosen) if chosen.type == "cuda" else "this CPU"
    names = [candidate.name for candidate in candidates if candidate.counted.key in own]
    if not own:
        rate = _convolution(chosen)
        source = f"measured on {where} with a 3x3 convolution of 256 channels, since the networks are too large to try"
        return Speed(source, Rates(rate, rate), start_up=start_up)
    general = _average(
        [(candidate.flops, own[candidate.counted.key]) for candidate in candidates if candidate.name in names]
    )
    beside = f", {len(found)} processes side by side" if len(found) > 1 else ""
    source = f"measured on {where} with {', '.join(names)}{beside}"
    share = sum(one.share for one in found) / len(found) if forked else 1.0
    return Speed(source, general, own, start_up=start_up, share=share)


def _candidates(benchmark: Benchmark, known: Known) -> list[_Candidate]:
    """Return each distinct network once, those with the most work first."""
    spent: dict[str, int] = {}
    for work in works_of(benchmark, known):
        for item in work.evaluations:
            spent[item.network] = spent.get(item.network, 0) + item.calls * item.flops
    found: dict[str, _Candidate] = {}
    for name, _ in benchmark.used_models():
        counted = model_network(benchmark, name, known)
        found.setdefault(counted.key, _Candidate(counted, name, False, spent.get(counted.key, 0)))
    for name, _ in benchmark.used_classifiers():
        counted = classifier_network(benchmark, name, known)
        found.setdefault(counted.key, _Candidate(counted, name, True, spent.get(counted.key, 0)))
    return sorted(found.values(), key=lambda candidate: -candidate.flops)


def _side_by_side(task: Callable[[], _Found], count: int) -> list[_Found]:
    """Return what a task returns in each of several forks of this process at the same time."""
    context = multiprocessing.get_context("fork")

    def run(end: Connection) -> None:
        end.send(task())

    begun = []
    for _ in range(count):
        receiving, sending = context.Pipe(duplex=False)
        process = context.Process(target=run, args=(sending,))
        process.start()
        sending.close()
        begun.append((process, receiving))
    found = []
    for process, receiving in begun:
        try:
            found.append(receiving.recv())
        except EOFError:  # It was killed, for want of memory as a rule.
            pass
        process.join()
    return found or [_Found({}, 1.0)]


def _timed_all(
    benchmark: Benchmark, known: Known, candidates: list[_Candidate], device: torch.device
) -> dict[str, Rates]:
    found: dict[str, Rates] = {}
    started, affordable = time.perf_counter(), AFFORDABLE[device.type]
    for candidate in candidates:
        late = time.perf_counter() - started > ALL_SECONDS
        if candidate.counted.flops <= affordable and not (found and late):
            found[candidate.counted.key] = _timed(benchmark, known, candidate, device)
    return found


def _timed(benchmark: Benchmark, known: Known, candidate: _Candidate, device: torch.device) -> Rates:
    """Return how fast a network trains and samples. Where one of the two is not timed, it has the other's speed."""
    flops, affordable = candidate.counted.flops, AFFORDABLE[device.type]
    entry = (benchmark.classifiers if candidate.classifies else benchmark.models)[candidate.name]
    shape = shrunk_shape(known.shape, entry.size)
    network = _built(entry, shape, known)
    training = sampling = None
    if isinstance(entry, Model):
        batch = max(1, min(benchmark.sampling.micro_batch, int(affordable / flops)))
        sampling = flops * _sampled_rows(benchmark, entry, network.to(device), shape, batch, device)
    task = _task(benchmark, entry, network)
    if task is not None and BACKWARD * flops <= affordable:
        batch = max(1, min(entry.training.batch_size, int(affordable / (BACKWARD * flops))))
        settings = dataclasses.replace(entry.training, batch_size=batch, random_crop=False)
        data = _blank(batch, shape, entry, known, benchmark.dataset.flip)
        trainer = Trainer(task, settings, data, 0, device)
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
        return Denoising(network, entry.diffusion, entry.objective, benchmark.dataset.levels)
    return Classification(network, entry.diffusion)


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
    network: nn.Module,
    shape: tuple[int, int, int],
    batch: int,
    device: torch.device,
) -> float:
    """Return how many rows of the network a sampler of the benchmark takes in a second, without guidance."""
    entry, spacing = _walked(benchmark, model)
    chain = model.diffusion.chain(spacing)
    full_chain = len(chain) == model.diffusion.timesteps and entry.off_grid == "refuse"
    denoiser = ModelDenoiser.of(model.diffusion, network.eval(), full_chain=full_chain, off_grid=entry.off_grid)
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
        from diffbench.samplers.ddim import Ddim

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
def _convolution(device: torch.device) -> float:
    """Return the operations per second of a convolution."""
    layer, x = nn.Conv2d(256, 256, 3, padding=1, device=device), torch.zeros(8, 256, 32, 32, device=device)
    return 2 * 9 * 256 * 256 * 8 * 32 * 32 / _seconds_of_step(lambda: layer(x), device)


def _mean(rates: list[Rates]) -> Rates:
    """Return the speed at which several processes do equal work, each with its own speed."""
    sampling = len(rates) / sum(1 / rate.sampling for rate in rates)
    return Rates(sampling, len(rates) / sum(1 / rate.training for rate in rates))


def _average(found: list[tuple[int, Rates]]) -> Rates:
    """Return the speed of work of several kinds. found: the operations of each kind, and its speed."""
    whole = sum(max(1, flops) for flops, _ in found)
    sampling = sum(max(1, flops) / rates.sampling for flops, rates in found)
    return Rates(whole / sampling, whole / sum(max(1, flops) / rates.training for flops, rates in found))
