"""The job of `prepare`: which data set."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from diffbench.jobs.job import OMITTED, Job, Part

Split = Literal["train", "test"]


@dataclass(frozen=True)
class DatasetPart(Part):
    """A data set, without the place where it lies: the same files elsewhere are the same job."""

    folder: ClassVar[str] = "datasets"


@dataclass(frozen=True, kw_only=True)
class PrepareJob(Job):
    """Prepare both splits of a data set.

    source: the hash of the files that it is read from, if it has any. split: in the record of a split, which one.
    """

    stages: ClassVar[tuple[str, ...]] = ("prepare",)

    dataset: DatasetPart
    source: str | None = field(default=None, metadata=OMITTED)
    split: Split | None = field(default=None, metadata=OMITTED)
