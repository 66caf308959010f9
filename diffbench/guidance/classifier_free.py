"""Classifier-free guidance, which moves predictions with a label away from those without one.

Ho and Salimans 2022, "Classifier-free diffusion guidance", eq. 6, whose w is scale - 1:
eps = eps(x_t) + scale (eps(x_t, y) - eps(x_t)) = (1 + w) eps(x_t, y) - w eps(x_t).
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch

from diffbench.base.errors import UserError
from diffbench.diffusion.denoiser import NO_LABEL, Condition, Denoiser
from diffbench.diffusion.parameterization import Prediction, X
from diffbench.diffusion.process import Level
from diffbench.guidance._contract import Gradient


@dataclass(frozen=True)
class ClassifierFree:
    """Guidance by a network that was trained with and without labels and is evaluated twice for each prediction.

    scale: 1 is the conditional model as it is, 0 the unconditional one; either needs only one evaluation.
    """

    scale: float = 1.5

    needs_classifier: ClassVar[bool] = False
    before_clipping: ClassVar[bool] = True

    def __post_init__(self):
        if self.scale < 0:
            raise ValueError(f"scale must not be negative, it is {self.scale}")

    def __call__(self, denoiser: Denoiser, gradient: Gradient | None, *, applies_gradient: bool) -> Denoiser:
        """Return the guided denoiser, which is the same for every sampler; x_0 must be clipped after it.

        x_0, eps (and mu) are mixed; the variance is that of the conditional prediction. Raises: UserError with a
        classifier.
        """
        if gradient is not None:
            raise UserError("classifier-free guidance takes no classifier")

        def unlabelled(x: X, level: Level, condition: Condition | None) -> Prediction:
            if condition is None or condition.y is None:
                raise UserError("classifier-free guidance needs a label for every image")
            return denoiser(x, level, replace(condition, y=torch.full_like(condition.y, NO_LABEL)))

        def guided(x: X, level: Level, condition: Condition | None = None) -> Prediction:
            without, labelled = unlabelled(x, level, condition), denoiser(x, level, condition)
            mean = labelled.mean
            if mean is not None and without.mean is not None:
                mean = without.mean + self.scale * (mean - without.mean)
            return replace(
                labelled,
                x_0=without.x_0 + self.scale * (labelled.x_0 - without.x_0),
                eps=without.eps + self.scale * (labelled.eps - without.eps),
                mean=mean,
            )

        return {0.0: unlabelled, 1.0: denoiser}.get(self.scale, guided)
