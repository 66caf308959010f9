"""Steps of diffbench and of guided-diffusion that take turns in one process, with equal settings and weights."""

import statistics
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from diffbench.base.errors import UserError
from diffbench.base.numerics import Numerics
from diffbench.base.plugins import load
from diffbench.benchmark.entries import Model, SamplerEntry
from diffbench.commands.bench import guided_diffusion
from diffbench.commands.bench.guided_diffusion import Checkout
from diffbench.commands.bench.measured import Skipped
from diffbench.commands.bench.networks import (
    Bench,
    SamplingRound,
    fresh,
    sampling_batch,
    training_batch,
    training_of,
    walk_of,
)
from diffbench.commands.bench.timing import Times, in_turn, quartiles
from diffbench.commands.plan.timed import Candidate

CLOSE = 1e-3
"""The largest relative difference of two networks' outputs that count as equal; float32 on a GPU gives 1e-5."""


@dataclass(frozen=True)
class Ratio:
    """The time of a step of diffbench, and that of guided-diffusion, in rounds that took turns."""

    part: str
    of: str
    numerics: Numerics
    batch: int
    ours: Times
    theirs: Times

    @property
    def ratios(self) -> list[float]:
        """Our seconds over theirs, pair by pair."""
        return [own / other for own, other in zip(self.ours.seconds, self.theirs.seconds, strict=True)]

    def as_json(self) -> dict[str, Any]:
        """Return the ratio with what it is made of."""
        low, high = quartiles(self.ratios)
        return {
            "part": self.part,
            "of": self.of,
            "numerics": asdict(self.numerics),
            "batch": self.batch,
            "pairs": len(self.ratios),
            "ratio": statistics.median(self.ratios),
            "ratio_quartiles": [low, high],
            "ours_seconds": self.ours.median,
            "theirs_seconds": self.theirs.median,
        }

    def words(self) -> str:
        """Return the ratio as a line."""
        low, high = quartiles(self.ratios)
        return (
            f"{self.part} {self.of}, batch {self.batch}, {self.numerics}: "
            f"{statistics.median(self.ratios):.3f} of guided-diffusion's time "
            f"(middle half of {len(self.ratios)} pairs: {low:.3f} to {high:.3f}; "
            f"{1e3 * self.ours.median:,.4g} ms against {1e3 * self.theirs.median:,.4g} ms)"
        )


def ratios(bench: Bench, checkout: Checkout) -> Iterator[Ratio | Skipped]:
    """Yield the ratios of the training step and of the sampling step of each model that is asked for."""
    for candidate in bench.chosen():
        entry = bench.entry(candidate)
        reason = "it is a classifier" if not isinstance(entry, Model) else guided_diffusion.unlike(entry)
        if reason is not None:
            yield Skipped("against", candidate.name, reason)
            continue
        _require_equal(bench, checkout, candidate)
        if "train" in bench.asked.parts and entry.checkpoint is None:
            yield training_ratio(bench, checkout, candidate)
        if "sample" in bench.asked.parts:
            yield sampling_ratio(bench, checkout, candidate)


def _require_equal(bench: Bench, checkout: Checkout, candidate: Candidate) -> None:
    """Raise UserError if the two networks return different outputs for equal weights and inputs."""
    entry = bench.entry(candidate)
    assert isinstance(entry, Model)
    own = fresh(bench, candidate)
    theirs = guided_diffusion.network_of(checkout, entry, bench.known, own)
    found = guided_diffusion.difference(own, theirs, entry, bench.known)
    if not found < CLOSE:
        raise UserError(
            f"--against {bench.asked.against}: its network differs from {candidate.name}'s by {found:.1e} of the "
            "largest output, with equal weights; it is another version, and is not compared"
        )


def training_ratio(bench: Bench, checkout: Checkout, candidate: Candidate, *, fp16: bool = False) -> Ratio:
    """Return the ratio of a training step. fp16: whether guided-diffusion's network computes in half precision."""
    entry, place = bench.entry(candidate), bench.place
    assert isinstance(entry, Model)
    numerics, batch = bench.training_numerics, training_batch(bench, candidate)
    place.prepare(numerics)
    network = guided_diffusion.network_of(checkout, entry, bench.known, fresh(bench, candidate), fp16=fp16)
    theirs = guided_diffusion.training_step(checkout, entry, bench.known, network, batch, fp16=fp16)
    trainer = training_of(bench, candidate)
    assert trainer is not None
    rounds = [place.clock.round_of(step) for step in (trainer.advance, theirs)]
    return Ratio("train", candidate.name, numerics, batch, *in_turn(*rounds, seconds=2 * place.seconds))


def sampling_ratio(bench: Bench, checkout: Checkout, candidate: Candidate) -> Ratio:
    """Return the ratio of a step of ancestral sampling in all steps of the training chain."""
    entry, place = bench.entry(candidate), bench.place
    assert isinstance(entry, Model)
    numerics, batch = bench.sampling_numerics, sampling_batch(bench, candidate)
    place.prepare(numerics)
    walk = walk_of(bench, candidate, SamplerEntry("ancestral", load("samplers", "ancestral")()))
    network = guided_diffusion.network_of(checkout, entry, bench.known, fresh(bench, candidate))
    ours = SamplingRound(place, walk, batch)
    ours()
    theirs = place.clock.round_of(guided_diffusion.sampling_step(checkout, entry, bench.known, network, batch))
    return Ratio("sample", candidate.name, numerics, batch, *in_turn(ours, theirs, seconds=2 * place.seconds))
