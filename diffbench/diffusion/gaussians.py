"""Data whose answers are known: for Gaussian data the best denoiser and every sampler's result are closed forms."""

from dataclasses import dataclass

from jaxtyping import Float64
from torch import Tensor

from diffbench.diffusion.denoiser import Condition
from diffbench.diffusion.parameterization import Prediction, X
from diffbench.diffusion.process import Level, over


@dataclass(frozen=True)
class GaussianDenoiser:
    """The exact denoiser E[x_0 | x_t] of data with independent normal pixels of a given mean and variance.

    mean, variance: numbers, or tensors that broadcast over an image. variance_fraction: the reverse variance to report.
    """

    mean: float | Float64[Tensor, "..."] = 0.0
    variance: float | Float64[Tensor, "..."] = 0.25
    variance_fraction: float = 0.0

    def __call__(self, x: X, level: Level, condition: Condition | None = None) -> Prediction:
        alpha, sigma = over(level.alpha, x), over(level.sigma, x)
        gain = alpha * self.variance / (alpha**2 * self.variance + sigma**2)
        x_0 = self.mean + gain * (x - alpha * self.mean)
        eps = (x - alpha * x_0) / sigma
        return Prediction(x_0=x_0, eps=eps, variance_fraction=x.new_full((1,), self.variance_fraction).expand_as(x))
