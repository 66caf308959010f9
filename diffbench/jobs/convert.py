"""The job of `convert`: what the weights of a file mean."""

from dataclasses import dataclass, field
from typing import ClassVar

from diffbench.jobs.job import OMITTED, Job
from diffbench.jobs.model import Trained


@dataclass(frozen=True, kw_only=True)
class ConvertJob(Job, Trained):
    """Make an artifact of a checkpoint that has no record.

    low_size: the height in pixels of the images that an upsampler is given. key: where the weights are in a file that
    holds more.
    """

    stages: ClassVar[tuple[str, ...]] = ("convert",)

    low_size: int | None = field(default=None, metadata=OMITTED)
    key: str | None = field(default=None, metadata=OMITTED)
