"""The job of the table of published and reproduced numbers: its scores, and the records that say what they are of."""

from dataclasses import dataclass
from typing import ClassVar

from diffbench.jobs.dataset import DatasetPart
from diffbench.jobs.job import Job
from diffbench.jobs.score import ProtocolPart


@dataclass(frozen=True)
class Reproduced:
    """A file of scores, with the records of the weights and of the samples that were scored.

    samples: None for scores of a model's bound. protocol: None for these too.
    """

    scores: str
    weights: str
    samples: str | None = None
    protocol: ProtocolPart | None = None


@dataclass(frozen=True, kw_only=True)
class PublishedJob(Job):
    """Compare scores with published numbers on the same data set."""

    stages: ClassVar[tuple[str, ...]] = ()

    benchmark: str
    dataset: DatasetPart
    reproduced: tuple[Reproduced, ...]

    def modules(self) -> tuple[str, ...]:
        """Return the modules whose code belongs to the job: the command that makes the table, data sets, protocols."""
        parts = dict.fromkeys(row.protocol.module for row in self.reproduced if row.protocol is not None)
        return (MODULE, NUMBERS, self.dataset.module, *parts)


MODULE = "diffbench.commands.published.compared"
"""The module that makes the table. It compares scores, which no stage may do."""

NUMBERS = "diffbench.published.numbers"
"""The module beside which the published numbers are, which belong to the job's code."""
