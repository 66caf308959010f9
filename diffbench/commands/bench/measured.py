"""A measurement and what follows from it: images and operations per second, and the share of the ceiling."""

from dataclasses import asdict, dataclass
from typing import Any

from diffbench.base.numerics import Numerics
from diffbench.commands.bench.timing import Times

PARTS = ("train", "sample", "extract", "score")
"""What can be measured: a training step, a sampling step, the features of images, and metrics."""


@dataclass(frozen=True)
class Measured:
    """The time of a step. batch: its images. flop: floating-point operations for an image of it; 0 if not counted.

    of: the name of the model, extractor or metric. detail: with what it was measured, in words. ceiling: the operations
    per second of matrix products in the same precision; 0 if not measured. memory: MiB at the peak.
    """

    part: str
    of: str
    detail: str
    numerics: Numerics
    batch: int
    times: Times
    flop: float = 0.0
    ceiling: float = 0.0
    memory: float = 0.0

    @property
    def images_per_second(self) -> float:
        """The images that go through a step in a second."""
        return self.batch / self.times.median

    @property
    def flops(self) -> float:
        """The floating-point operations per second."""
        return self.images_per_second * self.flop

    @property
    def share(self) -> float:
        """The share of the ceiling that is reached; 0 if operations or ceiling are not known."""
        return self.flops / self.ceiling if self.ceiling else 0.0

    def as_json(self) -> dict[str, Any]:
        """Return the measurement with all that follows from it."""
        low, high = self.times.spread
        return {
            "part": self.part,
            "of": self.of,
            "detail": self.detail,
            "numerics": asdict(self.numerics),
            "batch": self.batch,
            "rounds": len(self.times.seconds),
            "seconds": self.times.median,
            "seconds_quartiles": [low, high],
            "images_per_second": self.images_per_second,
            "flop_per_image": self.flop,
            "tflops": self.flops / 1e12,
            "share_of_ceiling": self.share,
            "peak_memory_mib": self.memory,
        }


@dataclass(frozen=True)
class Skipped:
    """What could not be measured, and why."""

    part: str
    of: str
    reason: str
