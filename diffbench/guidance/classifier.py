"""Classifier guidance, which shifts predictions along the gradient of log p(y | x_t).

Dhariwal and Nichol 2021, algorithms 1 (mean + s Sigma grad) and 2 (eps - s sigma grad). The two are not equal.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

from diffbench.base.errors import UserError
from diffbench.diffusion.denoiser import Condition, Denoiser, with_eps
from diffbench.diffusion.parameterization import Prediction, X
from diffbench.diffusion.process import Level, over
from diffbench.guidance._contract import Gradient


@dataclass(frozen=True)
class Classifier:
    """Guidance by a scaled gradient of a classifier.

    scale: s; 1 takes the gradient as it is, 0 switches guidance off.
    """

    scale: float = 1.0

    needs_classifier: ClassVar[bool] = True
    before_clipping: ClassVar[bool] = False

    def __post_init__(self):
        if self.scale < 0:
            raise ValueError(f"scale must not be negative, it is {self.scale}")

    def __call__(self, denoiser: Denoiser, gradient: Gradient | None, *, applies_gradient: bool) -> Denoiser:
        """Return the guided denoiser.

        applies_gradient: what the sampler declares under that name. If False, eps is shifted by -s sigma grad and x_0
        accordingly, which is not clipped again. If True, the prediction is unchanged, and the sampler adds s grad.
        Raises: UserError without a classifier.
        """
        if gradient is None:
            raise UserError("guidance needs a classifier: give the model an entry `classifier`")
        if self.scale == 0:
            return denoiser

        def guided(x: X, level: Level, condition: Condition | None = None) -> Prediction:
            prediction = denoiser(x, level, condition)
            push = self.scale * gradient(x, level, condition)
            if applies_gradient:
                return replace(prediction, gradient=push)
            return with_eps(prediction, prediction.eps - over(level.sigma, x) * push, x, level)

        return guided
