"""The protocol of FD-DINOv2 as it was proposed: features of DINOv2 instead of Inception's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from diffbench.protocols._contract import Protocol


@dataclass(frozen=True)
class Dinov2(Protocol):
    """FD, precision, recall, density and coverage with k = 5 on the class token of DINOv2 ViT-L/14.

    kdd, mind, nearest_neighbour, authpct and ct can be asked for (`metrics`) and read the same features. They are not
    computed unless asked for, so that the ids of scores remain what they were.
    """

    extractor: str = "dinov2"
    metrics: tuple[str, ...] = ("fd_dinov2", "precision", "recall", "density", "coverage")

    num_images: ClassVar[int | None] = 50_000
    extractor_entry: ClassVar[Mapping[str, Any]] = {"name": "dinov2", "size": "large"}
    resize: ClassVar[str] = "tf1-224"
    options: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        name: {"features": "dinov2", "k": 5, "num_reference": 10_000}
        for name in ("precision", "recall", "density", "coverage")
    } | {name: {"features": "dinov2"} for name in ("mind", "nearest_neighbour", "authpct", "ct")}
    source: ClassVar[str] = "Stein et al. 2023, section 4; extractor of torch-fidelity 0.4.0"
    deviations: ClassVar[str] = (
        "torch-fidelity resizes by TensorFlow 1's bilinear rule, the authors' dgm-eval by PIL's bicubic filter. "
        "dgm-eval draws 10,000 reference images at random for the neighbours; here they are the first."
    )
