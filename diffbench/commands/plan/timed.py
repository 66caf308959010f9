"""How fast a benchmark's own networks train and sample, from a few steps of each.

Everything of a step counts: the images, the noise, the objective, the optimiser and the average.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from diffbench.benchmark.benchmark import Benchmark
from diffbench.benchmark.entries import Model
from diffbench.benchmark.resources import BACKWARD
from diffbench.commands.plan.data import Known
from diffbench.commands.plan.networks import Counted, classifier_network, model_network
from diffbench.commands.plan.speed import Rates
from diffbench.commands.plan.work import works_of
from diffbench.commands.steps import Walk, built, synchronise, trainer_of

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
    network = built(entry, known)
    training = sampling = None
    if isinstance(entry, Model):
        batch = max(1, min(benchmark.sampling.micro_batch, int(affordable / flops)))
        walk = Walk.of(benchmark, entry, network, known, device, numerics=benchmark.numerics.sample)
        sampling = flops * _sampled_rows(walk, batch, device)
    if entry.checkpoint is None and BACKWARD * flops <= affordable:
        batch = max(1, min(entry.training.batch_size, int(affordable / (BACKWARD * flops))))
        trainer = trainer_of(benchmark, entry, network, known, batch, device, benchmark.numerics.train)
        assert trainer is not None
        training = BACKWARD * flops * batch / _seconds_of_step(trainer.advance, device)
    known_rate = sampling or training
    assert known_rate is not None or not candidate.classifies
    return Rates(sampling or known_rate or 0.0, training or known_rate or 0.0)


@torch.no_grad()
def _sampled_rows(walk: Walk, batch: int, device: torch.device) -> float:
    """Return how many rows of the network a sampler of the benchmark takes in a second, without guidance."""
    states = walk.states(batch)
    next(states)
    before = walk.model.rows
    synchronise(device)
    started, steps = time.perf_counter(), 0
    while steps < ENOUGH_STEPS and (not steps or time.perf_counter() - started < ENOUGH_SECONDS):
        next(states)
        steps += 1
    synchronise(device)
    return (walk.model.rows - before) / (time.perf_counter() - started)


def _seconds_of_step(step: Callable[[], Any], device: torch.device) -> float:
    """Return the mean seconds of a step, after one that is not counted."""
    step()
    synchronise(device)
    started, steps = time.perf_counter(), 0
    while steps < ENOUGH_STEPS and (not steps or time.perf_counter() - started < ENOUGH_SECONDS):
        step()
        steps += 1
    synchronise(device)
    return (time.perf_counter() - started) / steps


@torch.no_grad()
def convolution(device: torch.device) -> float:
    """Return the operations per second of a convolution."""
    layer, x = nn.Conv2d(256, 256, 3, padding=1, device=device), torch.zeros(8, 256, 32, 32, device=device)
    return 2 * 9 * 256 * 256 * 8 * 32 * 32 / _seconds_of_step(lambda: layer(x), device)
