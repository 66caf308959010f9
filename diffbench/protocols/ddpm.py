"""The protocol of DDPM: FID against the training and the test split, and one Inception Score over all samples.

DDPM's loader drops the last incomplete batch of 256, so CIFAR-10's references are 49,920 and 9,984 images.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from diffbench.protocols._contract import Protocol

BATCH = 256


@dataclass(frozen=True)
class Ddpm(Protocol):
    """50,000 samples against all complete batches of 256 of a split; `reference: test` uses those of the test split."""

    metrics: tuple[str, ...] = ("fid", "inception_score")

    num_images: ClassVar[int | None] = 50_000
    options: ClassVar[Mapping[str, Mapping[str, Any]]] = {"inception_score": {"splits": 1}}
    source: ClassVar[str] = "Ho et al. 2020, section 4 and table 1; its scripts' tpu_utils"
    deviations: ClassVar[str] = (
        "Its samples were measured as clipped floats, never as bytes; those floats are not reproduced, because "
        "sample sets are bytes here. Its reference was read in the loader's order, of which only the number of images "
        "is kept. Published numbers are the minimum over checkpoints."
    )

    def reference_images(self, available: int) -> int:
        """Return how many of the reference's images are used: complete batches of 256, or all if there is none."""
        return available // BATCH * BATCH or available
