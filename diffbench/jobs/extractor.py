"""The choice of an extractor in a job."""

from dataclasses import dataclass
from typing import ClassVar

from diffbench.jobs.job import Part


@dataclass(frozen=True)
class ExtractorPart(Part):
    """An extractor, without the path of its weights, so that the same file in another place gives the same job."""

    folder: ClassVar[str] = "extractors"
