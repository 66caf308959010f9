"""The job of the stage `fit`: which extractor it trains."""

from dataclasses import dataclass
from typing import ClassVar

from diffbench.jobs.extractor import ExtractorPart
from diffbench.jobs.job import Job


@dataclass(frozen=True, kw_only=True)
class FitJob(Job):
    """Train a data set's own extractor."""

    stages: ClassVar[tuple[str, ...]] = ("fit",)

    extractor: ExtractorPart
    threads: int
