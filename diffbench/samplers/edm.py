"""EDM's stochastic sampler: a little fresh noise before each of Heun's steps.

Karras et al. 2022, "Elucidating the design space", algorithm 2. Table 5 has churn 40, 0.05 to 50, noise_scale 1.003 for
ImageNet-64 in 256 steps, and churn 30, 0.01 to 1, 1.007 for CIFAR-10. A noise_scale above 1 makes up for a network that
removes too much noise. With an exact network the sampler then does not converge to the data, so the default is 1.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch

from diffbench.diffusion.denoiser import Denoiser
from diffbench.diffusion.parameterization import X
from diffbench.diffusion.process import Chain, over
from diffbench.samplers._contract import Noise, State
from diffbench.samplers.heun import heun_step


@dataclass(frozen=True)
class Edm:
    """Raises the noise by a share gamma = min(churn / steps, sqrt 2 - 1) of sigma before each step, then steps back.

    churn: the amount of noise that is added over all steps; 0 adds none. churn_min, churn_max: the range of sigma (here
    sigma / alpha) in which that is done. noise_scale: the scale of the fresh noise. No level above the chain's noisiest
    is visited, because the network does not know it.
    """

    churn: float = 10.0
    churn_min: float = 0.05
    churn_max: float = 50.0
    noise_scale: float = 1.0

    order: ClassVar[int] = 2
    startup_order: ClassVar[int] = 2
    applies_gradient: ClassVar[bool] = False

    def __post_init__(self):
        if self.churn < 0 or self.noise_scale < 0 or not 0 <= self.churn_min <= self.churn_max:
            raise ValueError("churn, noise_scale and churn_min <= churn_max must not be negative")

    @property
    def stochastic(self) -> bool:
        """Whether it draws noise."""
        return self.churn > 0

    @property
    def leaves_grid(self) -> bool:
        """Whether it asks for levels between the chain's."""
        return self.churn > 0

    def __call__(self, denoiser: Denoiser, chain: Chain, x_T: X, noise: Noise) -> Iterator[State]:
        x, most = x_T, min(self.churn / len(chain), math.sqrt(2) - 1)
        for i in range(len(chain)):
            here, sigma = chain.level(i), float(chain.log_noise[i].exp())
            gamma = most if self.churn_min <= sigma <= self.churn_max else 0.0
            raised = torch.minimum(chain.log_noise[i] + math.log1p(gamma), chain.log_noise[0])
            if gamma > 0 and raised > chain.log_noise[i]:
                level = chain.level_at(raised)
                ratio = level.alpha / here.alpha
                added = (level.sigma**2 - (ratio * here.sigma) ** 2).sqrt() * self.noise_scale
                x, here = over(ratio, x) * x + over(added, x) * noise(i), level
            state = heun_step(denoiser, x, here, chain.level(i + 1))
            x = state.x
            yield state
