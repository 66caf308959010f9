"""DPM-Solver: singlestep exponential integrators of order 2 and 3 for a network that predicts eps.

Lu et al. 2022, "DPM-Solver", algorithms 1 and 2 of the appendix (r_1 = 1/2; r_1 = 1/3, r_2 = 2/3).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch

from diffbench.diffusion.denoiser import Denoiser
from diffbench.diffusion.parameterization import Prediction, X
from diffbench.diffusion.process import Chain, over
from diffbench.samplers._contract import Noise, State
from diffbench.samplers._steps import held_eps, part_way, step_sizes, towards


@dataclass(frozen=True)
class DpmSolver:
    """Takes every step of the chain with `order` evaluations, order - 1 of them part of the way through it.

    The last step, to the clean level, is of first order.
    """

    order: int = 3
    """the number of evaluations in a step: 2 or 3."""

    stochastic: ClassVar[bool] = False
    applies_gradient: ClassVar[bool] = False
    leaves_grid: ClassVar[bool] = True

    def __post_init__(self):
        if self.order not in (2, 3):
            raise ValueError(f"order must be 2 or 3, not {self.order}; of order 1 it is ddim")

    @property
    def startup_order(self) -> int:
        """The order itself: a step needs no history."""
        return self.order

    def __call__(self, denoiser: Denoiser, chain: Chain, x_T: X, noise: Noise) -> Iterator[State]:
        x, step = x_T, self.second_order if self.order == 2 else self.third_order
        for i in range(len(chain)):
            prediction = denoiser(x, chain.level(i))
            if i == len(chain) - 1:
                x = towards(prediction, chain.level(i + 1))
            else:
                x = step(denoiser, chain, i, prediction)
            yield State(chain.level(i + 1), x, prediction.x_0)

    def second_order(self, denoiser: Denoiser, chain: Chain, i: int, start: Prediction) -> X:
        """Return x after step i, from the prediction at its start. It uses the eps predicted half way."""
        here, there, middle = chain.level(i), chain.level(i + 1), part_way(chain, i, 1 / 2)
        return held_eps(start, denoiser(towards(start, middle), middle).eps, here, there)

    def third_order(self, denoiser: Denoiser, chain: Chain, i: int, start: Prediction) -> X:
        """Return x after step i, from the prediction at its start, with evaluations at one third and at two thirds."""
        there = chain.level(i + 1)
        first, second, h = part_way(chain, i, 1 / 3), part_way(chain, i, 2 / 3), step_sizes(chain)[i]
        slope = denoiser(towards(start, first), first).eps - start.eps
        share = second.sigma * 2 * (torch.expm1(2 / 3 * h) / (2 / 3 * h) - 1)
        guess = towards(start, second) - over(share, slope) * slope
        slope = denoiser(guess, second).eps - start.eps
        share = there.sigma * 3 / 2 * (torch.expm1(h) / h - 1)
        return towards(start, there) - over(share, slope) * slope
