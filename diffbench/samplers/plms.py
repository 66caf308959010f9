"""PLMS: linear multistep combinations of eps in DDIM's step. It takes one evaluation a step, and two in the first.

Liu et al. 2022, "Pseudo numerical methods for diffusion models", eq. 9 and 12; it starts with the improved Euler step
of the latent diffusion code.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from diffbench.diffusion.denoiser import Denoiser
from diffbench.diffusion.parameterization import Prediction, X
from diffbench.diffusion.process import Chain
from diffbench.samplers._contract import Noise, State
from diffbench.samplers._steps import held_eps, towards

ADAMS_BASHFORTH = {
    2: (3 / 2, -1 / 2),
    3: (23 / 12, -16 / 12, 5 / 12),
    4: (55 / 24, -59 / 24, 37 / 24, -9 / 24),
}
"""Weights of the last values of a derivative, the latest first, for equal steps."""


@dataclass(frozen=True)
class Plms:
    """Combines the last four eps with Adams and Bashforth's weights.

    It is of second order: the weights are those of equal steps in t, and DDIM's step takes eps as constant.
    """

    order: ClassVar[int] = 2
    startup_order: ClassVar[int] = 2
    stochastic: ClassVar[bool] = False
    applies_gradient: ClassVar[bool] = False

    def __call__(self, denoiser: Denoiser, chain: Chain, x_T: X, noise: Noise) -> Iterator[State]:
        def started(i: int, prediction: Prediction) -> X:
            there = chain.level(i + 1)
            return (prediction.eps + denoiser(towards(prediction, there), there).eps) / 2

        return linear_multistep(denoiser, chain, x_T, fewest=2, started=started)


def linear_multistep(
    denoiser: Denoiser, chain: Chain, x_T: X, *, fewest: int, started: Callable[[int, Prediction], X]
) -> Iterator[State]:
    """Yield the states of a walk along combinations of the last four eps, once there are `fewest` of them.

    started(i, prediction): the eps of step i before that. If the last step is still one of those, it takes its own eps.
    """
    x, known = x_T, []
    for i in range(len(chain)):
        here, there = chain.level(i), chain.level(i + 1)
        prediction = denoiser(x, here)
        known = [prediction.eps, *known[:3]]
        if len(known) >= fewest:
            eps = combined(known)
        else:
            eps = started(i, prediction) if i < len(chain) - 1 else prediction.eps
        x = held_eps(prediction, eps, here, there)
        yield State(there, x, prediction.x_0)


def combined(known: list[X]) -> X:
    """Return the combination of the last two to four values of eps, the latest first."""
    weights = ADAMS_BASHFORTH[len(known)]
    return sum((weight * eps for weight, eps in zip(weights, known, strict=True)), start=0 * known[0])
