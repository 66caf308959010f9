"""The protocol of pytorch-fid, which most papers use that name no evaluator; clean-fid calls it `legacy_pytorch`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from diffbench.protocols._contract import Protocol


@dataclass(frozen=True)
class PytorchFid(Protocol):
    """FID of features after torch's bilinear resize and 2 x / 255 - 1."""

    extractor: str = "inception_pytorch"
    metrics: tuple[str, ...] = ("fid",)

    extractor_entry: ClassVar[Mapping[str, Any]] = {"name": "inception", "resize": "pytorch"}
    resize: ClassVar[str] = "pytorch"
    source: ClassVar[str] = "Seitzer 2020, pytorch-fid 0.3.0"
    deviations: ClassVar[str] = (
        "It adds 1e-6 to the covariances if the root of their product is not finite; here that is not needed."
    )
