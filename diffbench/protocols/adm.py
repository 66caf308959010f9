"""The protocol of ADM's evaluator, which Dhariwal and Nichol's tables use, as do most later papers on ImageNet.

Its reference batches (`VIRTUAL_imagenet256_labeled.npz`, ...) hold 10,000 images for precision and recall. For FID and
sFID they hold the mean and covariance over the full data set, which are used as they are stored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from diffbench.protocols._contract import Protocol


@dataclass(frozen=True)
class Adm(Protocol):
    """50,000 truncated samples: FID, sFID, IS over chunks of 5,000 in file order, precision and recall with k = 3."""

    metrics: tuple[str, ...] = ("fid", "sfid", "inception_score", "precision", "recall")

    num_images: ClassVar[int | None] = 50_000
    rounding: ClassVar[str | None] = "truncate"
    # Samples are compared with at most 10,000 reference images, and recall is the share of those images alone.
    options: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "inception_score": {"chunk": 5000},
        "precision": {"k": 3, "num_reference": 10_000},
        "recall": {"k": 3, "num_reference": 10_000},
    }
    source: ClassVar[str] = "Dhariwal and Nichol 2021, section 2.2; guided-diffusion, evaluations/evaluator.py"
    deviations: ClassVar[str] = (
        "The evaluator compares distances in float16, which moves precision and recall by 0.001 to 0.002, and averages "
        "features in float32; here both are float64. That `mixed_6/conv:0` is read after its ReLU is taken from "
        "ports of the graph."
    )
