"""The job of the stage `tabulate`: which table it makes."""

from dataclasses import dataclass, field
from typing import ClassVar

from diffbench.jobs.job import OMITTED, Job, Part


@dataclass(frozen=True)
class TablePart(Part):
    """A table."""

    folder: ClassVar[str] = "tables"


@dataclass(frozen=True)
class ModelRow:
    """A row about a model itself, which is the same for every sampler.

    weights: the model whose weights it uses, if the table names it.
    """

    benchmark: str
    model: str
    train_seed: int
    weights: str | None = field(default=None, metadata=OMITTED)


@dataclass(frozen=True)
class ComparedSet:
    """A sample set in a comparison under a protocol, and the paths of its files."""

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
    """Make a table, which no stage needs the benchmark's name for.

    rows: the model of each file, for a table of bounds or of models. sets: the compared sets, for a comparison.
    """

    stages: ClassVar[tuple[str, ...]] = ("tabulate",)

    benchmark: str | None = field(default=None, metadata=OMITTED)
    table: TablePart
    rows: tuple[ModelRow, ...] = field(default=(), metadata=OMITTED)
    sets: tuple[ComparedSet, ...] = field(default=(), metadata=OMITTED)
