"""The job of the stage `convert`: what the weights in a file mean."""

from dataclasses import dataclass, field
from typing import ClassVar

from diffbench.jobs.job import OMITTED, Job
from diffbench.jobs.model import Trained


@dataclass(frozen=True, kw_only=True)
class GivenWeights(Job, Trained):
    """The meaning of weights that were trained elsewhere. low_size: the height in pixels of an upsampler's input."""

    low_size: int | None = field(default=None, metadata=OMITTED)


@dataclass(frozen=True, kw_only=True)
class ConvertJob(GivenWeights):
    """Make an artifact from a checkpoint that has no record. key: the key of the weights if the file holds more."""

    stages: ClassVar[tuple[str, ...]] = ("convert",)

    key: str | None = field(default=None, metadata=OMITTED)
