"""An extractor as jobs choose it."""

from dataclasses import dataclass
from typing import ClassVar

from diffbench.jobs.job import Part


@dataclass(frozen=True)
class ExtractorPart(Part):
    """An extractor, without the place where its weights lie: the same file elsewhere is the same job."""

    folder: ClassVar[str] = "extractors"
