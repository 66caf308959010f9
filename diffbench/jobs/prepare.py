"""The job of the stage `prepare`: which data set it prepares."""

from dataclasses import dataclass, field
from typing import ClassVar

from diffbench.base.names import SplitName
from diffbench.jobs.dataset import DatasetPart
from diffbench.jobs.job import OMITTED, Job


@dataclass(frozen=True, kw_only=True)
class PrepareJob(Job):
    """Prepare both splits of a data set.

    source: the hash of the files from which it is read, if there are any. split: which split this is, in the record of
    one.
    """

    stages: ClassVar[tuple[str, ...]] = ("prepare",)

    dataset: DatasetPart
    source: str | None = field(default=None, metadata=OMITTED)
    split: SplitName | None = field(default=None, metadata=OMITTED)
