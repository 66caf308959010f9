"""The job of the table of published and reproduced numbers: its scores, and the records that say what they are of."""

from dataclasses import dataclass, field
from typing import ClassVar

from diffbench.jobs.dataset import DatasetPart
from diffbench.jobs.differences import NamedProtocol
from diffbench.jobs.job import OMITTED, Job


@dataclass(frozen=True)
class Reproduced:
    """A file of scores, with the records of the weights and of the samples that were scored.

    protocol: the name of the protocol. samples, protocol: None for scores of a model's bound.
    """

    scores: str
    weights: str
    samples: str | None = field(default=None, metadata=OMITTED)
    protocol: str | None = field(default=None, metadata=OMITTED)


@dataclass(frozen=True, kw_only=True)
class PublishedJob(Job):
    """Compare scores with published numbers on the same data set. The files are those that it names.

    data: the record of the training images. images: these themselves, for data that were published as pixels.
    """

    stages: ClassVar[tuple[str, ...]] = ()

    benchmark: str
    dataset: DatasetPart
    data: str
    images: str | None = field(default=None, metadata=OMITTED)
    protocols: tuple[NamedProtocol, ...]
    reproduced: tuple[Reproduced, ...]

    def modules(self) -> tuple[str, ...]:
        """Return the modules whose code belongs to the job: the command that makes the table, data sets, protocols."""
        parts = dict.fromkeys(item.protocol.module for item in self.protocols)
        return (MODULE, NUMBERS, self.dataset.module, *parts)


MODULE = "diffbench.commands.published.compared"
"""The module that makes the table. It compares scores, which no stage may do."""

NUMBERS = "diffbench.published.numbers"
"""The module beside which the published numbers are, which belong to the job's code."""
