"""The choice of a data set in a job."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Self

from diffbench.jobs.job import Part


@dataclass(frozen=True)
class DatasetPart(Part):
    """A data set, without the path of its files, so that the same files in another place give the same job."""

    folder: ClassVar[str] = "datasets"

    def at(self, path: Path | None) -> Self:
        """Return the data set to be read from `path`; None keeps the path in its options."""
        return self if path is None else replace(self, options=self.options | {"path": str(path)})
