"""Training steps and sampling steps of a benchmark's models."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from diffbench.base.errors import UserError
from diffbench.base.numerics import Numerics
from diffbench.base.plugins import nearest
from diffbench.base.seeds import seed_torch
from diffbench.benchmark.benchmark import Benchmark
from diffbench.benchmark.entries import Model, NoisyClassifier, SamplerEntry
from diffbench.benchmark.resources import BACKWARD
from diffbench.commands.bench.asked import Asked
from diffbench.commands.bench.measured import Measured, Skipped
from diffbench.commands.bench.place import Place
from diffbench.commands.bench.timing import in_turn
from diffbench.commands.plan.data import Known
from diffbench.commands.plan.timed import Candidate, candidates
from diffbench.commands.steps import Walk, built, trainer_of
from diffbench.samplers._batches import sample_batch
from diffbench.samplers._contract import State
from diffbench.training.loop import Trainer

LARGEST_STEP = {"cpu": 4e11, "cuda": float("inf")}
"""Floating-point operations of a step beyond which its batch is smaller than the benchmark's, if none is asked for."""

STEPS = 4
"""Sampling steps of a round, if the chain has so many after the first."""


@dataclass(frozen=True)
class Bench:
    """What is measured, and where."""

    asked: Asked
    benchmark: Benchmark
    known: Known
    place: Place

    def entry(self, candidate: Candidate) -> Model | NoisyClassifier:
        """Return the entry of a network that can be measured."""
        return (self.benchmark.classifiers if candidate.classifies else self.benchmark.models)[candidate.name]

    def chosen(self) -> list[Candidate]:
        """Return the networks that are asked for, each once. Raises: UserError for a name that no run uses."""
        found = candidates(self.benchmark, self.known)
        for name in self.asked.models:
            used = [one for one, _ in (*self.benchmark.used_models(), *self.benchmark.used_classifiers())]
            if name not in used:
                raise UserError(f"--model {name}: no run of this benchmark uses it; {nearest(name, used)}")
        names = self.asked.models
        return [candidate for candidate in found if not names or candidate.name in names]

    @property
    def training_numerics(self) -> Numerics:
        """How networks compute in training."""
        return self.asked.choices.over(self.benchmark.numerics.train)

    @property
    def sampling_numerics(self) -> Numerics:
        """How networks compute in sampling."""
        return self.asked.choices.over(self.benchmark.numerics.sample)

    def batch(self, own: int, flop: float) -> int:
        """Return the images of a step. own: the benchmark's. flop: the operations for an image."""
        return self.asked.batch or max(1, min(own, int(LARGEST_STEP[self.place.device.type] / max(1.0, flop))))


def fresh(bench: Bench, candidate: Candidate) -> nn.Module:
    """Return a network with fresh weights, the same each time. Layers that start at 0 get small weights.

    Otherwise the network would return zeros, and nothing could be compared with it.
    """
    seed_torch(0, "init")
    network = built(bench.entry(candidate), bench.known).to(bench.place.device)
    with torch.no_grad():
        for parameter in network.parameters():
            if not parameter.any():
                parameter.normal_(std=0.02)
    return network


def measured_networks(bench: Bench) -> Iterator[Measured | Skipped]:
    """Yield the training step and the sampling step of each network that is asked for."""
    for candidate in bench.chosen():
        if "train" in bench.asked.parts:
            yield measured_training(bench, candidate)
        if "sample" in bench.asked.parts and not candidate.classifies:
            yield measured_sampling(bench, candidate)


def measured_training(bench: Bench, candidate: Candidate) -> Measured | Skipped:
    """Return the time of a training step, with all that belongs to it: images, noise, optimiser, average."""
    place, numerics = bench.place, bench.training_numerics
    place.prepare(numerics)
    trainer = training_of(bench, candidate)
    if trainer is None:
        return Skipped("train", candidate.name, "its weights are a checkpoint")
    ceiling, flop, peak = place.ceiling(numerics), BACKWARD * candidate.counted.flops, place.peak()
    times = place.timed(place.clock.round_of(trainer.advance))
    detail = "classifier" if candidate.classifies else "model"
    batch = training_batch(bench, candidate)
    return Measured("train", candidate.name, detail, numerics, batch, times, flop, ceiling, peak.mib())


def training_batch(bench: Bench, candidate: Candidate) -> int:
    """Return the images of a training step."""
    own = bench.entry(candidate).training
    return bench.batch(1 if own is None else own.batch_size, BACKWARD * candidate.counted.flops)


def training_of(bench: Bench, candidate: Candidate) -> Trainer | None:
    """Return a training of a network; None for a checkpoint."""
    entry, batch = bench.entry(candidate), training_batch(bench, candidate)
    network, device = fresh(bench, candidate), bench.place.device
    return trainer_of(bench.benchmark, entry, network, bench.known, batch, device, bench.training_numerics)


def data_share(bench: Bench, candidate: Candidate) -> float:
    """Return the share of a training step in which its images, noise and timesteps are made.

    Two trainings take turns: one as usual, and one that is given the same batch in each step.
    """
    place = bench.place
    place.prepare(bench.training_numerics)
    usual, kept = training_of(bench, candidate), training_of(bench, candidate)
    assert usual is not None and kept is not None
    _repeat_first_batch(kept)
    rounds = [place.clock.round_of(trainer.advance) for trainer in (usual, kept)]
    whole, rest = in_turn(*rounds, seconds=2 * place.seconds)
    return 1 - rest.median / whole.median


def _repeat_first_batch(trainer: Trainer) -> None:
    """Let a training use its first batch in each step."""
    batches, found = trainer._batches, []
    make = batches.at

    def at(step: int, own: slice) -> Any:
        if not found:
            found.append(make(step, own))
        return found[0]

    batches.at = at


def measured_sampling(bench: Bench, candidate: Candidate) -> Measured:
    """Return the time of a sampling step, with the noise and the sampler's own arithmetic."""
    place, numerics = bench.place, bench.sampling_numerics
    place.prepare(numerics)
    walk, batch = walk_of(bench, candidate), sampling_batch(bench, candidate)
    ceiling, peak, round_ = place.ceiling(numerics), place.peak(), SamplingRound(place, walk, batch)
    round_()
    times = place.timed(round_)
    flop = round_.rows * candidate.counted.flops
    return Measured("sample", candidate.name, walk.entry.name, numerics, batch, times, flop, ceiling, peak.mib())


def walk_of(bench: Bench, candidate: Candidate, sampler: SamplerEntry | None = None) -> Walk:
    """Return how a model is sampled, with fresh weights.

    sampler: one that replaces the benchmark's, and takes all steps of the training chain.
    """
    model = bench.entry(candidate)
    assert isinstance(model, Model)
    walked = None if sampler is None else (sampler, "")
    network, device = fresh(bench, candidate), bench.place.device
    return Walk.of(bench.benchmark, model, network, bench.known, device, walked, bench.sampling_numerics)


def sampling_batch(bench: Bench, candidate: Candidate) -> int:
    """Return the images of a sampling step."""
    return bench.batch(bench.benchmark.sampling.micro_batch, candidate.counted.flops)


class _EnoughError(Exception):
    """The round has all its steps."""


class SamplingRound:
    """A round of sampling steps, as the stage `sample` takes them.

    rows: the evaluations of the network for an image of a step, in the last round.
    """

    def __init__(self, place: Place, walk: Walk, batch: int):
        self._place, self._walk, self._batch = place, walk, batch
        self._steps = max(1, min(STEPS, len(walk.chain) - 1))
        self.rows = 0.0

    def __call__(self) -> float:
        """Return the seconds of a step. The first of a chain is not counted if there are others."""
        walk, marks, seen = self._walk, [self._mark()], 0

        def stepped(state: State) -> None:
            nonlocal seen
            seen += 1
            if seen == 1 and len(walk.chain) > 1:
                marks.clear()
            marks.append(self._mark())
            if len(marks) > self._steps:
                raise _EnoughError

        with suppress(_EnoughError):
            sample_batch(
                walk.entry.part,
                walk.denoiser,
                walk.chain,
                index=torch.arange(self._batch),
                shape=walk.shape,
                seed=0,
                conditions=walk.conditions,
                device=self._place.device,
                on_step=stepped,
            )
        (began, before), (ended, after) = marks[0], marks[-1]
        steps = len(marks) - 1
        self.rows = (after - before) / steps / self._batch
        return (ended - began) / steps

    def _mark(self) -> tuple[float, int]:
        return self._place.clock.now(), self._walk.model.rows
