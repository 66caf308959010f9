"""The job of the stage `extract`: which extractor it uses."""

from dataclasses import dataclass, field
from typing import ClassVar

from diffbench.base.numerics import DEFAULT_NUMERICS, Numerics
from diffbench.jobs.extractor import ExtractorPart
from diffbench.jobs.job import OMITTED, Job


@dataclass(frozen=True, kw_only=True)
class ExtractJob(Job):
    """Extract the features of a set of images."""

    stages: ClassVar[tuple[str, ...]] = ("extract",)

    extractor: ExtractorPart
    threads: int
    numerics: Numerics = field(default=DEFAULT_NUMERICS, metadata=OMITTED)
