"""The jobs of the stage `score`: the row of the tables to which a score belongs, and its protocol."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from diffbench.base.records import Row
from diffbench.jobs.job import Job, Part

Rounding = Literal["truncate", "round", "unknown"]
"""The rule by which samples became bytes; unknown if somebody else made them and did not record it."""


@dataclass(frozen=True)
class ProtocolPart(Part):
    """A protocol. Its `reference` is a split or the name of a file, whose hash is in the job's `upstream`."""

    folder: ClassVar[str] = "protocols"


@dataclass(frozen=True)
class MetricPart(Part):
    """A metric by its name alone, because its settings are in the protocol."""

    folder: ClassVar[str] = "metrics"


@dataclass(frozen=True, kw_only=True)
class ScoreJob(Job):
    """Score features under a protocol."""

    stages: ClassVar[tuple[str, ...]] = ("score",)

    protocol: ProtocolPart
    rounding: Rounding
    row: Row

    def modules(self) -> tuple[str, ...]:
        """Return the modules whose code belongs to the job, including those of the protocol's metrics."""
        return (*super().modules(), *(MetricPart(name).module for name in self.protocol.options["metrics"]))


@dataclass(frozen=True, kw_only=True)
class PairsJob(Job):
    """Compare upsampled real images with the true ones, image by image."""

    stages: ClassVar[tuple[str, ...]] = ("score",)

    rounding: Rounding
    row: Row


@dataclass(frozen=True, kw_only=True)
class BoundScoreJob(Job):
    """Score the terms of a model's bound."""

    stages: ClassVar[tuple[str, ...]] = ("score",)

    row: Row
