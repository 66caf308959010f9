"""The job of `prepare`: which data set."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Literal, Self

from diffbench.jobs.job import OMITTED, Job, Part

Split = Literal["train", "test"]


@dataclass(frozen=True)
class DatasetPart(Part):
    """A data set, without the place where it lies: the same files elsewhere are the same job."""

    folder: ClassVar[str] = "datasets"

    def at(self, path: Path | None) -> Self:
        """Return the data set, read from a path; None: from where its options say."""
        return self if path is None else replace(self, options=self.options | {"path": str(path)})


@dataclass(frozen=True, kw_only=True)
class PrepareJob(Job):
    """Prepare both splits of a data set.

    source: the hash of the files that it is read from, if it has any. split: in the record of a split, which one.
    """

    stages: ClassVar[tuple[str, ...]] = ("prepare",)

    dataset: DatasetPart
    source: str | None = field(default=None, metadata=OMITTED)
    split: Split | None = field(default=None, metadata=OMITTED)
