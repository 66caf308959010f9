"""DPM-Solver++(3M): a multistep exponential integrator with the last three predictions, one evaluation a step.

Lu et al. 2022, "DPM-Solver++", section 4.1, with k = 3: the integral of the parabola through them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch

from diffbench.diffusion.denoiser import Denoiser
from diffbench.diffusion.parameterization import X
from diffbench.diffusion.process import Chain, over
from diffbench.samplers._contract import Noise, State
from diffbench.samplers._steps import held_x_0, step_sizes


@dataclass(frozen=True)
class Dpmpp3m:
    """Interpolates x_0 in lambda through its last three values, or through two if there are no more.

    The first and the last step use one value. If x_0 changes in the first step, its first order leaves second order in
    all: errors fall as steps^-2.
    halved_curvature: the released code, and diffusers, give the second derivative half of its weight. That is of second
    order whatever the start. false integrates the parabola.
    """

    halved_curvature: bool = False

    startup_order: ClassVar[int] = 1
    stochastic: ClassVar[bool] = False
    applies_gradient: ClassVar[bool] = False

    @property
    def order(self) -> int:
        """3; 2 with the released coefficient."""
        return 2 if self.halved_curvature else 3

    def __call__(self, denoiser: Denoiser, chain: Chain, x_T: X, noise: Noise) -> Iterator[State]:
        x, h, known = x_T, step_sizes(chain), []
        for i in range(len(chain)):
            here, there = chain.level(i), chain.level(i + 1)
            x_0 = denoiser(x, here).x_0
            known = [x_0, *known[:2]]
            moved = held_x_0(x, x_0, here, there)
            if len(known) == 2 and i < len(chain) - 1:
                moved = held_x_0(x, x_0 + over(h[i] / (2 * h[i - 1]), x) * (x_0 - known[1]), here, there)
            elif len(known) == 3 and i < len(chain) - 1:
                # First and second derivative in lambda at the start of the step, from divided differences.
                last, first = (x_0 - known[1]) / over(h[i - 1], x), (known[1] - known[2]) / over(h[i - 2], x)
                bend = (last - first) / over(h[i - 1] + h[i - 2], x)
                slope = last + over(h[i - 1], x) * bend
                # Integrals of e^(lambda - h) times lambda and lambda^2 over the step.
                linear = h[i] + torch.expm1(-h[i])
                square = h[i] ** 2 - 2 * linear
                square = square / 2 if self.halved_curvature else square
                moved = moved + over(there.alpha, x) * (over(linear, x) * slope + over(square, x) * bend)
            x = moved
            yield State(there, x, x_0)
