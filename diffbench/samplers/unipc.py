"""UniPC: a multistep predictor and a corrector that costs no evaluation, for predictions of x_0.

Zhao et al. 2023, "UniPC: a unified predictor-corrector framework", algorithms 5 and 6 and appendix E.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float64
from torch import Tensor

from diffbench.diffusion.denoiser import Denoiser
from diffbench.diffusion.parameterization import X
from diffbench.diffusion.process import Chain, over
from diffbench.samplers._contract import Noise, State
from diffbench.samplers._steps import held_x_0, step_sizes


@dataclass(frozen=True)
class Unipc:
    """Predicts with `predictor_order` values of x_0, and corrects the x that it reached with the x_0 found there.

    predictor_order: the number of values of x_0 that a step uses. b: the function B(h) of the paper, h ("bh1") or e^h -
    1 ("bh2"). lower_order_final: a step between noisy levels uses at most as many values as there are such steps left,
    so the last of them uses one. This is the authors' rule; their steps end at a noisy level. count_clean_step: the
    step to the clean level, which always uses one value, counts as the last of them, so orders fall one step later.
    This is diffusers' rule; at order 2 it changes nothing.

    The authors' code does not evaluate the last noisy level, and so does not correct there. Here it is evaluated for
    the step to the clean level, and corrected.
    """

    predictor_order: int = 2
    b: Literal["bh1", "bh2"] = "bh2"
    lower_order_final: bool = True
    count_clean_step: bool = False

    stochastic: ClassVar[bool] = False
    applies_gradient: ClassVar[bool] = False
    startup_order: ClassVar[int] = 2

    def __post_init__(self):
        if not 1 <= self.predictor_order <= 4:
            raise ValueError(f"predictor_order must be 1 to 4, not {self.predictor_order}")
        if self.count_clean_step and not self.lower_order_final:
            raise ValueError("count_clean_step has no effect without lower_order_final; leave it out")

    @property
    def order(self) -> int:
        """One more than the predictor's order, because the corrector adds one."""
        return self.predictor_order + 1

    def __call__(self, denoiser: Denoiser, chain: Chain, x_T: X, noise: Noise) -> Iterator[State]:
        x, start, h, known = x_T, x_T, step_sizes(chain), []
        for i in range(len(chain)):
            x_0 = denoiser(x, chain.level(i)).x_0
            if i > 0:
                x = self.moved(chain, h, i - 1, start, known[: self.used(i - 1, len(chain))], x_0)
            known, start = [x_0, *known[: self.predictor_order - 1]], x
            if i == len(chain) - 1:
                x = held_x_0(start, x_0, chain.level(i), chain.level(i + 1))
            else:
                x = self.moved(chain, h, i, start, known[: self.used(i, len(chain))], None)
            yield State(chain.level(i + 1), x, x_0)

    def used(self, i: int, steps: int) -> int:
        """Return how many values of x_0 step i of a chain uses."""
        known = min(self.predictor_order, i + 1)
        if not self.lower_order_final:
            return known
        left = steps - i if self.count_clean_step else steps - 1 - i
        return min(known, max(left, 1))

    def moved(self, chain: Chain, h: Float64[Tensor, " steps"], i: int, x: X, known: list[X], arrived: X | None) -> X:
        """Return x after step i, from x at its start.

        known: the x_0 predicted at its start and before, the latest first. arrived: the x_0 at its end, for correcting.
        """
        here, there = chain.level(i), chain.level(i + 1)
        # The places of the other values, in units of the step: past values are before its start, and 1 is its end.
        places = [-h[i - k : i].sum() / h[i] for k in range(1, len(known))]
        differences = [(value - known[0]) / over(place, x) for value, place in zip(known[1:], places, strict=True)]
        if arrived is not None:
            places, differences = [*places, torch.ones_like(h[i])], [*differences, arrived - known[0]]
        reached = held_x_0(x, known[0], here, there)
        if not places:
            return reached
        weights, scale = self._weights(torch.stack(places), h[i], correcting=arrived is not None)
        total = sum((over(w, x) * value for w, value in zip(weights, differences, strict=True)), start=0 * x)
        return reached - over(there.alpha * scale, x) * total

    def _weights(
        self, places: Float64[Tensor, " p"], h: Float64[Tensor, ""], *, correcting: bool
    ) -> tuple[Float64[Tensor, " p"], Float64[Tensor, ""]]:
        """Return the weights of the differences and B: they integrate the powers of lambda up to p exactly.

        With one difference the paper takes 1/2 instead, which is enough for its order.
        """
        scale = -h if self.b == "bh1" else torch.expm1(-h)
        if len(places) == 1:
            return torch.full_like(places, 0.5), scale
        # phi_{k+1}(-h) = (phi_k(-h) - 1/k!) / (-h), from phi_1; the right-hand sides are k! (-h) phi_{k+1}(-h) / B.
        phi, sides = torch.expm1(-h) / -h, []
        factorial = 1.0
        for k in range(1, len(places) + 1):
            factorial *= k
            phi = (phi - 1 / factorial) / -h
            sides.append(phi * -h * factorial / scale)
        powers = torch.stack([places**k for k in range(len(places))])
        return torch.linalg.solve(powers, torch.stack(sides)), scale
