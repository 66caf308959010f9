"""The job of the table of differences: which sample sets are compared, under which protocols, with which baselines."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from diffbench.jobs.job import Job
from diffbench.jobs.score import MetricPart, ProtocolPart
from diffbench.jobs.tabulate import ComparedSet

Variant = tuple[str, str, int]
"""A model, a sampler and a number of steps."""


@dataclass(frozen=True)
class NamedProtocol:
    """A protocol and the name by which sample sets refer to it."""

    name: str
    protocol: ProtocolPart


@dataclass(frozen=True)
class Baselines:
    """The sampler with which other samplers are compared, and the model with which other models are."""

    sampler: str
    model: str


@dataclass(frozen=True, kw_only=True)
class DifferencesJob(Job):
    """Compare sample sets with those of the baselines."""

    stages: ClassVar[tuple[str, ...]] = ()

    benchmark: str
    baselines: Baselines
    protocols: tuple[NamedProtocol, ...]
    sets: tuple[ComparedSet, ...]

    def asked(self) -> Iterator[tuple[str, Variant, Variant]]:
        """Yield what differs, a variant and its baseline, in the order of the sets: first samplers, then models.

        What differs is "sampler" or "model", the only one of the two in which the sides are not alike.
        """
        variants = list(dict.fromkeys((item.model, item.sampler, item.steps) for item in self.sets))
        for model, sampler, steps in variants:
            against = (model, self.baselines.sampler, steps)
            if sampler != self.baselines.sampler and against in variants:
                yield "sampler", (model, sampler, steps), against
        for model, sampler, steps in variants:
            against = (self.baselines.model, sampler, steps)
            if model != self.baselines.model and against in variants:
                yield "model", (model, sampler, steps), against

    def modules(self) -> tuple[str, ...]:
        """Return the modules whose code belongs to the job: the command that makes the table, protocols, metrics."""
        parts = [held.protocol for held in self.protocols]
        metrics = dict.fromkeys(MetricPart(name).module for part in parts for name in part.options["metrics"])
        return (MODULE, *dict.fromkeys(part.module for part in parts), *metrics)


MODULE = "diffbench.commands.compare.differences"
"""The module that makes the table. It compares scores, which no stage may do."""
