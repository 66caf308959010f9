"""The job of the stage `prepare`: which data set it prepares."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Literal, Self

from diffbench.jobs.job import OMITTED, Job, Part

Split = Literal["train", "test"]


@dataclass(frozen=True)
class DatasetPart(Part):
    """A data set, without the path of its files, so that the same files in another place give the same job."""

    folder: ClassVar[str] = "datasets"

    def at(self, path: Path | None) -> Self:
        """Return the data set to be read from `path`; None keeps the path in its options."""
        return self if path is None else replace(self, options=self.options | {"path": str(path)})


@dataclass(frozen=True, kw_only=True)
class PrepareJob(Job):
    """Prepare both splits of a data set.

    source: the hash of the files from which it is read, if there are any. split: which split this is, in the record of
    one.
    """

    stages: ClassVar[tuple[str, ...]] = ("prepare",)

    dataset: DatasetPart
    source: str | None = field(default=None, metadata=OMITTED)
    split: Split | None = field(default=None, metadata=OMITTED)
