"""A data set as jobs choose it, and its splits."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal, Self

from diffbench.jobs.job import Part

Split = Literal["train", "test"]


@dataclass(frozen=True)
class DatasetPart(Part):
    """A data set, without the place where it lies: the same files elsewhere are the same job."""

    folder: ClassVar[str] = "datasets"

    def at(self, path: Path | None) -> Self:
        """Return the data set, read from a path; None: from where its options say."""
        return self if path is None else replace(self, options=self.options | {"path": str(path)})
