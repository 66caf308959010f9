"""PNDM: PLMS, started by three steps of a Runge-Kutta method with four evaluations each.

Liu et al. 2022, "Pseudo numerical methods for diffusion models", eq. 13 and algorithm 2 (F-PNDM).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from diffbench.diffusion.denoiser import Denoiser
from diffbench.diffusion.parameterization import Prediction, X
from diffbench.diffusion.process import Chain
from diffbench.samplers._contract import Noise, State
from diffbench.samplers._steps import held_eps, part_way, towards
from diffbench.samplers.plms import linear_multistep


@dataclass(frozen=True)
class Pndm:
    """Takes its first three steps with four evaluations each, then combines the last four eps as PLMS does.

    The middle of a Runge-Kutta step is taken in lambda; the paper takes it in t, which a chain does not have.
    """

    order: ClassVar[int] = 2
    startup_order: ClassVar[int] = 2
    stochastic: ClassVar[bool] = False
    applies_gradient: ClassVar[bool] = False
    leaves_grid: ClassVar[bool] = True

    def __call__(self, denoiser: Denoiser, chain: Chain, x_T: X, noise: Noise) -> Iterator[State]:
        def started(i: int, prediction: Prediction) -> X:
            return self.runge_kutta(denoiser, chain, i, prediction)

        return linear_multistep(denoiser, chain, x_T, fewest=4, started=started)

    def runge_kutta(self, denoiser: Denoiser, chain: Chain, i: int, start: Prediction) -> X:
        """Return the mean eps of step i, from the prediction at its start, two from half way, and one from the end."""
        here, there, middle = chain.level(i), chain.level(i + 1), part_way(chain, i, 1 / 2)
        second = denoiser(towards(start, middle), middle).eps
        third = denoiser(held_eps(start, second, here, middle), middle).eps
        last = denoiser(held_eps(start, third, here, there), there).eps
        return (start.eps + 2 * second + 2 * third + last) / 6
