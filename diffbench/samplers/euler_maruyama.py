"""Euler-Maruyama on the reverse-time SDE, in half log-SNR.

Song et al. 2021, "Score-based generative modeling", eq. 6 and appendix D; in lambda = log(alpha / sigma) the squared
diffusion of any process is g^2 dt = -2 sigma^2 d lambda (Kingma et al. 2021, eq. 11).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from diffbench.diffusion.denoiser import Denoiser
from diffbench.diffusion.parameterization import X
from diffbench.diffusion.process import Chain, over
from diffbench.samplers._contract import Noise, State
from diffbench.samplers._steps import step_sizes


@dataclass(frozen=True)
class EulerMaruyama:
    """Holds drift and diffusion as at the start of each step. The last step takes the predicted x_0, without noise."""

    order: ClassVar[int] = 1
    startup_order: ClassVar[int] = 1
    stochastic: ClassVar[bool] = True
    applies_gradient: ClassVar[bool] = False

    def __call__(self, denoiser: Denoiser, chain: Chain, x_T: X, noise: Noise) -> Iterator[State]:
        x, h = x_T, step_sizes(chain)
        for i in range(len(chain)):
            prediction, sigma = denoiser(x, chain.level(i)), chain.sigmas[i]
            if i == len(chain) - 1:
                x = prediction.x_0
            else:
                # The drift undoes alpha's fall and follows the score, -eps / sigma, with g^2.
                drift = over(-chain.alpha_ts[i].log(), x) * x - over(2 * sigma * h[i], x) * prediction.eps
                x = x + drift + over(sigma * (2 * h[i]).sqrt(), x) * noise(i)
            yield State(chain.level(i + 1), x, prediction.x_0)
