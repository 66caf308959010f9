"""DPM-Solver++(2M): a multistep exponential integrator, one evaluation a step.

Lu et al. 2022, "DPM-Solver++", algorithm 2.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from diffbench.diffusion.denoiser import Denoiser
from diffbench.diffusion.parameterization import X
from diffbench.diffusion.process import Chain, over
from diffbench.samplers._contract import Noise, State
from diffbench.samplers._steps import held_x_0, step_sizes


@dataclass(frozen=True)
class Dpmpp2m:
    """Extrapolates the predicted x_0 to the middle of the step from its last two values.

    The first step, and the last (to the clean level), hold one value.
    """

    order: ClassVar[int] = 2
    startup_order: ClassVar[int] = 1
    stochastic: ClassVar[bool] = False
    applies_gradient: ClassVar[bool] = False

    def __call__(self, denoiser: Denoiser, chain: Chain, x_T: X, noise: Noise) -> Iterator[State]:
        x, h, before = x_T, step_sizes(chain), None
        for i in range(len(chain)):
            here, there = chain.level(i), chain.level(i + 1)
            x_0 = denoiser(x, here).x_0
            held = x_0
            if before is not None and i < len(chain) - 1:
                held = x_0 + over(h[i] / (2 * h[i - 1]), x) * (x_0 - before)
            x, before = held_x_0(x, held, here, there), x_0
            yield State(there, x, x_0)
