"""Euler's method in sigma / alpha, EDM's deterministic sampler without its correction: in exact arithmetic, DDIM.

Karras et al. 2022, algorithm 1 without lines 6 to 8, and their appendix C.3 for the equality.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from diffbench.diffusion.denoiser import Denoiser
from diffbench.diffusion.parameterization import X
from diffbench.diffusion.process import Chain
from diffbench.samplers._contract import Noise, State
from diffbench.samplers._steps import towards


@dataclass(frozen=True)
class Euler:
    """Takes every step of the chain along eps. With the uniform grid it is ddim; other grids make another sampler."""

    order: ClassVar[int] = 1
    startup_order: ClassVar[int] = 1
    stochastic: ClassVar[bool] = False
    applies_gradient: ClassVar[bool] = False

    def __call__(self, denoiser: Denoiser, chain: Chain, x_T: X, noise: Noise) -> Iterator[State]:
        x = x_T
        for i in range(len(chain)):
            prediction = denoiser(x, chain.level(i))
            x = towards(prediction, chain.level(i + 1))
            yield State(chain.level(i + 1), x, prediction.x_0)
