"""The job of `plot`: which figure, and the labels of what it shows."""

from dataclasses import dataclass
from typing import ClassVar

from diffbench.jobs.job import Job, Part


@dataclass(frozen=True)
class FigurePart(Part):
    """A figure."""

    folder: ClassVar[str] = "figures"


@dataclass(frozen=True, kw_only=True)
class PlotJob(Job):
    """Draw a figure. labels: of several files, in their order."""

    stages: ClassVar[tuple[str, ...]] = ("plot",)

    figure: FigurePart
    labels: tuple[str, ...] = ()
