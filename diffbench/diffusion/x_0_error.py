"""A denoiser that reports with each prediction the mean squared error of x_0, as the model's bound measured it."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from diffbench.diffusion.denoiser import Condition, Denoiser
from diffbench.diffusion.parameterization import Prediction, X
from diffbench.diffusion.process import Chain, Level


@dataclass(frozen=True)
class KnownErrorDenoiser:
    """A denoiser whose predictions have the mean squared error of x_0 in Prediction.x_0_variance.

    log_noise, error: a table in ascending log sigma / alpha. The error is linear in log noise between its entries, and
    constant beyond them.
    """

    denoiser: Denoiser
    log_noise: Float64[np.ndarray, " entries"]
    error: Float64[np.ndarray, " entries"]

    @classmethod
    def of(
        cls,
        denoiser: Denoiser,
        chain: Chain,
        timesteps: Int[np.ndarray, "images strata"],
        x_0_mse: Float[np.ndarray, "images strata"],
    ) -> "KnownErrorDenoiser":
        """Return the denoiser with the errors of a bound's terms; chain: the training chain of that bound.

        Each stratum gives an entry of the table: its mean error at its mean log noise.
        """
        noise = chain.log_noise.numpy()[len(chain) - 1 - timesteps]
        return cls(denoiser, noise.mean(axis=0), x_0_mse.mean(axis=0).astype(np.float64))

    def __call__(self, x: X, level: Level, condition: Condition | None = None) -> Prediction:
        wanted = (level.sigma / level.alpha).log().cpu().numpy()
        error: Tensor = torch.as_tensor(np.interp(wanted, self.log_noise, self.error), dtype=torch.float64)
        return replace(self.denoiser(x, level, condition), x_0_variance=error)
