"""Ancestral sampling with the best isotropic variance, from the measured error of the predicted x_0.

Bao et al. 2022, "Analytic-DPM", theorem 1: the reverse variance is that of q(x_s | x_t, x_0), plus what is unknown of
x_0, Var[x_0 | x_t], through the posterior mean. The paper estimates Var from the score's norm over training images.
Here it is the x_0 error of the model's own bound. For the best prediction the two are equal.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from diffbench.base.errors import UserError
from diffbench.diffusion.denoiser import Denoiser, reverse_mean
from diffbench.diffusion.parameterization import X
from diffbench.diffusion.process import Chain, over
from diffbench.samplers._contract import Noise, State


@dataclass(frozen=True)
class AnalyticAncestral:
    """Draws every step except the last with variance beta_tilde + c^2 Var[x_0 | x_t], c the weight of x_0 in the mean.

    On data of one variance it is exact with any number of steps.
    """

    order: ClassVar[int] = 1
    startup_order: ClassVar[int] = 1
    stochastic: ClassVar[bool] = True
    applies_gradient: ClassVar[bool] = False
    needs_error: ClassVar[bool] = True

    def __call__(self, denoiser: Denoiser, chain: Chain, x_T: X, noise: Noise) -> Iterator[State]:
        x = x_T
        for i in range(len(chain)):
            prediction = denoiser(x, chain.level(i))
            if prediction.x_0_variance is None:
                raise UserError("the error of the predicted x_0 is not known; the sample stage takes it from --terms")
            x = reverse_mean(chain, i, x, prediction)
            if i < len(chain) - 1:
                variance = chain.beta_tilde[i] + chain.x_0_coefficient[i] ** 2 * prediction.x_0_variance
                x = x + over(variance.sqrt(), x) * noise(i)
            yield State(chain.level(i + 1), x, prediction.x_0)
