"""The jobs of the stage `plot`: which figures it draws, from which files, and the labels in them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from diffbench.jobs.job import OMITTED, Job, Part, own_modules


@dataclass(frozen=True)
class FigurePart(Part):
    """A figure."""

    folder: ClassVar[str] = "figures"


@dataclass(frozen=True, kw_only=True)
class PlotJob(Job):
    """Draw a figure.

    sources: the paths of what it is drawn from, by kind, for example {"table": ["results/table2.csv"]}. labels: one for
    each file of the kind that the figure compares, in their order.
    """

    stages: ClassVar[tuple[str, ...]] = ("plot",)

    figure: FigurePart
    sources: dict[str, tuple[str, ...]] = field(default_factory=dict, metadata=OMITTED)
    labels: tuple[str, ...] = field(default=(), metadata=OMITTED)

    def modules(self) -> tuple[str, ...]:
        """Return the modules whose code belongs to the job, including those of the schedules that are drawn."""
        chains = self.figure.options.get("chains", {})
        return (*super().modules(), *own_modules(chains))


FIGURES = "figures"
"""The key of a spec that holds several jobs, which one process draws."""


def read_jobs(content: Mapping[str, Any]) -> list[PlotJob]:
    """Return the jobs of a spec: those under "figures", or the spec itself. Raises: UserError."""
    several = content.get(FIGURES)
    if set(content) != {FIGURES} or not isinstance(several, list):
        return [PlotJob.read(content)]
    return [PlotJob.read(item, f"--spec.{FIGURES}[{place}]") for place, item in enumerate(several)]
