"""The job of the table of claims: the scores that are the evidence."""

from dataclasses import dataclass
from typing import ClassVar

from diffbench.base.plugins import names
from diffbench.jobs.job import Job


@dataclass(frozen=True, kw_only=True)
class ClaimsJob(Job):
    """Test the claims of papers. scores: the files of scores of sample sets and of bounds."""

    stages: ClassVar[tuple[str, ...]] = ()

    benchmark: str
    scores: tuple[str, ...]

    def modules(self) -> tuple[str, ...]:
        """Return the modules whose code belongs to the job: the command that makes the table, and every claim."""
        return (MODULE, *(f"diffbench.comparison.claims.{name}" for name in names("comparison/claims")))


MODULE = "diffbench.commands.claims.table"
"""The module that makes the table. It compares scores, which no stage may do."""
