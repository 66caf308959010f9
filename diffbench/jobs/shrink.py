"""The job of the stage `shrink`: the new size of the images."""

from dataclasses import dataclass
from typing import ClassVar

from diffbench.jobs.job import Job


@dataclass(frozen=True, kw_only=True)
class ShrinkJob(Job):
    """Make the images of a split smaller. size: their new height in pixels."""

    stages: ClassVar[tuple[str, ...]] = ("shrink",)

    size: int

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"size: {self.size} is not a number of pixels")
