"""The protocol of torch-fidelity's defaults: what `fidelity --isc --fid --kid` prints."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from diffbench.protocols._contract import Protocol


@dataclass(frozen=True)
class TorchFidelity(Protocol):
    """IS over 10 splits after a fixed shuffle, FID, KID over 100 subsets of 1,000."""

    metrics: tuple[str, ...] = ("inception_score", "fid", "kid")

    options: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "inception_score": {"splits": 10, "shuffle_seed": 2020},
        "kid": {"subsets": 100, "subset_size": 1000},
    }
    source: ClassVar[str] = "Obukhov et al. 2020, torch-fidelity 0.4.0"
    deviations: ClassVar[str] = (
        "Its precision and recall have VGG-16 features by default and are left out; KID is computed in float64, "
        "which moves its sixth digit."
    )
