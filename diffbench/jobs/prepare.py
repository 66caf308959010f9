"""The job of `prepare`: which data set."""

from dataclasses import dataclass, field
from typing import ClassVar

from diffbench.jobs.dataset import DatasetPart, Split
from diffbench.jobs.job import OMITTED, Job


@dataclass(frozen=True, kw_only=True)
class PrepareJob(Job):
    """Prepare both splits of a data set.

    source: the hash of the files that it is read from, if it has any. split: in the record of a split, which one.
    """

    stages: ClassVar[tuple[str, ...]] = ("prepare",)

    dataset: DatasetPart
    source: str | None = field(default=None, metadata=OMITTED)
    split: Split | None = field(default=None, metadata=OMITTED)
