"""Heun's method of second order in sigma / alpha: EDM's deterministic sampler.

Karras et al. 2022, "Elucidating the design space", algorithm 1; with `spacing: karras`, their time grid.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from diffbench.diffusion.denoiser import Denoiser
from diffbench.diffusion.parameterization import X
from diffbench.diffusion.process import Chain, Level
from diffbench.samplers._contract import Noise, State
from diffbench.samplers._steps import held_eps, towards


@dataclass(frozen=True)
class Heun:
    """Takes a step along eps, then takes it again along the mean of eps at both ends. The last step is Euler's."""

    order: ClassVar[int] = 2
    startup_order: ClassVar[int] = 2
    stochastic: ClassVar[bool] = False
    applies_gradient: ClassVar[bool] = False

    def __call__(self, denoiser: Denoiser, chain: Chain, x_T: X, noise: Noise) -> Iterator[State]:
        x = x_T
        for i in range(len(chain)):
            state = heun_step(denoiser, x, chain.level(i), chain.level(i + 1))
            x = state.x
            yield state


def heun_step(denoiser: Denoiser, x: X, here: Level, there: Level) -> State:
    """Return the state after a step of Heun's method between two levels of any distance.

    In sigma / alpha the flow is d(x / alpha) = eps d(sigma / alpha). So a step along the predicted eps is `towards`,
    and a step along another eps is `held_eps`.
    """
    prediction = denoiser(x, here)
    reached = towards(prediction, there)
    if float(there.sigma) > 0:
        eps = (prediction.eps + denoiser(reached, there).eps) / 2
        reached = held_eps(prediction, eps, here, there)
    return State(there, reached, prediction.x_0)
