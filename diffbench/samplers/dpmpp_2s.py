"""DPM-Solver++(2S): a singlestep exponential integrator for predictions of x_0.

Lu et al. 2022, "DPM-Solver++", algorithm 1, with r = 1/2.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from diffbench.diffusion.denoiser import Denoiser
from diffbench.diffusion.parameterization import X
from diffbench.diffusion.process import Chain
from diffbench.samplers._contract import Noise, State
from diffbench.samplers._steps import held_x_0, part_way


@dataclass(frozen=True)
class Dpmpp2s:
    """Takes every step with the x_0 that is predicted half way through it; the last step uses its own."""

    order: ClassVar[int] = 2
    startup_order: ClassVar[int] = 2
    stochastic: ClassVar[bool] = False
    applies_gradient: ClassVar[bool] = False
    leaves_grid: ClassVar[bool] = True

    def __call__(self, denoiser: Denoiser, chain: Chain, x_T: X, noise: Noise) -> Iterator[State]:
        x = x_T
        for i in range(len(chain)):
            here, there = chain.level(i), chain.level(i + 1)
            x_0 = denoiser(x, here).x_0
            if i < len(chain) - 1:
                middle = part_way(chain, i, 1 / 2)
                x_0 = denoiser(held_x_0(x, x_0, here, middle), middle).x_0
            x = held_x_0(x, x_0, here, there)
            yield State(there, x, x_0)
