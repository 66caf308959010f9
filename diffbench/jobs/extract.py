"""The job of the stage `extract`: which extractor it uses."""

from dataclasses import dataclass
from typing import ClassVar

from diffbench.jobs.extractor import ExtractorPart
from diffbench.jobs.job import Job


@dataclass(frozen=True, kw_only=True)
class ExtractJob(Job):
    """Extract the features of a set of images."""

    stages: ClassVar[tuple[str, ...]] = ("extract",)

    extractor: ExtractorPart
    threads: int
