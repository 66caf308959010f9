"""The protocol of clean-fid: FID and KID after an antialiased resize, which other implementations lack."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from diffbench.protocols._contract import Protocol


@dataclass(frozen=True)
class CleanFid(Protocol):
    """FID and KID of features after PIL's bicubic filter on float channels; clean-fid calls this mode `clean`."""

    extractor: str = "inception_clean"
    metrics: tuple[str, ...] = ("fid", "kid")

    extractor_entry: ClassVar[Mapping[str, Any]] = {"name": "inception", "resize": "clean"}
    resize: ClassVar[str] = "clean"
    source: ClassVar[str] = (
        "Parmar, Zhang and Zhu 2022, 'On aliased resizing and surprising subtleties in GAN evaluation'"
    )
    deviations: ClassVar[str] = (
        "Its KID is a mean over 100 random subsets, unseeded; here it is the value over all images that it estimates."
    )
