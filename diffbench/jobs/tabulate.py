"""The job of `tabulate`: which table, and the figure that is drawn from it."""

from dataclasses import dataclass, field
from typing import ClassVar

from diffbench.jobs.job import OMITTED, Job, Part
from diffbench.jobs.plot import FigurePart


@dataclass(frozen=True)
class TablePart(Part):
    """A table."""

    folder: ClassVar[str] = "tables"


@dataclass(frozen=True)
class ModelRow:
    """A row about a model itself, whatever samples it."""

    benchmark: str
    model: str
    train_seed: int


@dataclass(frozen=True)
class ComparedSet:
    """A sample set of a comparison under a protocol, and where its files are."""

    model: str
    sampler: str
    steps: int
    train_seed: int
    sample_seed: int
    protocol: str
    scores: str
    features: str
    reference: str


@dataclass(frozen=True, kw_only=True)
class TableJob(Job):
    """Make a table. rows: of a table of bounds, the model of each file. sets: of a comparison, what it compares."""

    benchmark: str
    table: TablePart
    figure: FigurePart | None = field(default=None, metadata=OMITTED)
    rows: tuple[ModelRow, ...] = field(default=(), metadata=OMITTED)
    sets: tuple[ComparedSet, ...] = field(default=(), metadata=OMITTED)

    @property
    def stages(self) -> tuple[str, ...]:  # type: ignore[override]
        """The stages that run it: the figure of a table is drawn by the same job."""
        return ("tabulate",) if self.figure is None else ("tabulate", "plot")
