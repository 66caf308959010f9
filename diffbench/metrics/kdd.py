"""KDD: the kernel distance of KID on DINOv2's class token instead of Inception's pool.

The kernel is KID's, (x'y / d + 1)^3, with DINOv2's d. All images count by default, so that nothing is drawn. The
authors' dgm-eval averages 100 random subsets of up to 1,000 images, which it draws anew in every run: its number has
the same expectation, and noise that this one does not have. Range: slightly below 0 and up.
Source: Stein et al. 2023, "Exposing flaws of generative model evaluation metrics and their unfair treatment of
diffusion models", section 4 (their KD with DINOv2 ViT-L/14); Binkowski et al. 2018 for the estimator.
"""

from dataclasses import dataclass
from typing import ClassVar

from diffbench.metrics.kid import Kid


@dataclass(frozen=True)
class Kdd(Kid):
    """The kernel distance on the array that extractor `dinov2` makes."""

    features: str = "dinov2"

    label: ClassVar[str] = "KDD"
