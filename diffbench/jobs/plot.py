"""The job of the stage `plot`: which figure it draws, and the labels in it."""

from dataclasses import dataclass
from typing import ClassVar

from diffbench.jobs.job import Job, Part


@dataclass(frozen=True)
class FigurePart(Part):
    """A figure."""

    folder: ClassVar[str] = "figures"


@dataclass(frozen=True, kw_only=True)
class PlotJob(Job):
    """Draw a figure. labels: one for each file, in their order, if there are several files."""

    stages: ClassVar[tuple[str, ...]] = ("plot",)

    figure: FigurePart
    labels: tuple[str, ...] = ()
