"""Predictor-corrector sampling: an ancestral step, then Langevin steps at the level that it reached.

Song et al. 2021, "Score-based generative modeling", algorithms 1, 3 and 5.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from diffbench.diffusion.denoiser import Denoiser
from diffbench.diffusion.parameterization import X
from diffbench.diffusion.process import Chain, over
from diffbench.samplers._contract import Noise, State
from diffbench.samplers.ancestral import Ancestral


@dataclass(frozen=True)
class PredictorCorrector:
    """Corrects after every step except the last.

    snr: the published ratio r. A Langevin step is 2 alpha_i (r |z| / |score|)^2 long, with alpha_i = 1 - beta_i of the
    chain's step from the next level to this one; alpha_i is 1 if the variance explodes. The norms are taken at their
    expected values, sqrt(d) and sqrt(d) / sigma, so that an image does not depend on its batch. The released Langevin
    corrector averages them over the batch; the released annealed corrector ("ald") takes the expected values too.
    corrections: Langevin steps at each level.
    """

    snr: float = 0.16
    corrections: int = 1

    order: ClassVar[int] = 1
    startup_order: ClassVar[int] = 1
    stochastic: ClassVar[bool] = True
    applies_gradient: ClassVar[bool] = False

    def __post_init__(self):
        if self.snr <= 0 or self.corrections < 1:
            raise ValueError("snr must be positive, and corrections at least 1")

    def __call__(self, denoiser: Denoiser, chain: Chain, x_T: X, noise: Noise) -> Iterator[State]:
        x, draws = x_T, 1 + self.corrections
        for i in range(len(chain)):
            state = Ancestral().step(denoiser, chain, i, x, lambda k: noise(draws * k))
            x = state.x
            for j in range(self.corrections if i < len(chain) - 1 else 0):
                eps, sigma = denoiser(x, state.level).eps, state.level.sigma
                # alpha_ts^2 is 1 - beta_i. The score is -eps / sigma, the noise's variance twice the step's length.
                length = 2 * chain.alpha_ts[i + 1] ** 2 * (self.snr * sigma) ** 2
                x = x - over(length / sigma, x) * eps + over((2 * length).sqrt(), x) * noise(draws * i + 1 + j)
            yield State(state.level, x, state.x_0)
