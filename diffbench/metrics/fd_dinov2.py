"""FD-DINOv2: the Frechet distance on DINOv2's class token instead of Inception's pool.

Inception was trained to tell ImageNet's classes apart. Its distance has been found to disagree with people on
diffusion models, whose samples it ranks too low. DINOv2 was trained without labels. Range: 0 and up, in a unit that is
not FID's: hundreds are usual. It is biased upward by about b / n.
Source: Stein et al. 2023, "Exposing flaws of generative model evaluation metrics and their unfair treatment of
diffusion models", section 4 (ViT-L/14).
"""

from dataclasses import dataclass
from typing import ClassVar

from diffbench.metrics.fid import Fid


@dataclass(frozen=True)
class FdDinov2(Fid):
    """The Frechet distance on the array that extractor `dinov2` makes."""

    features: str = "dinov2"
    """the array of features that it takes."""

    label: ClassVar[str] = "FD-DINOv2"
