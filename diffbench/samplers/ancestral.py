"""Ancestral sampling: x_s ~ p(x_s | x_t), the chain's own reverse steps.

Ho et al. 2020, algorithm 2; with a learned variance, Nichol and Dhariwal 2021, section 3.1; guided, Dhariwal and
Nichol 2021, algorithm 1.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from diffbench.diffusion.denoiser import Denoiser, reverse_log_variance, reverse_mean, reverse_variance
from diffbench.diffusion.parameterization import X
from diffbench.diffusion.process import Chain
from diffbench.samplers._contract import Noise, State


@dataclass(frozen=True)
class Ancestral:
    """Draws every reverse step with the model's own variance; the last step takes the mean."""

    order: ClassVar[int] = 1
    startup_order: ClassVar[int] = 1
    stochastic: ClassVar[bool] = True
    applies_gradient: ClassVar[bool] = True
    no_options: ClassVar[Mapping[str, str]] = {"noiseless_last_step": "the last step always takes the mean"}

    def __call__(self, denoiser: Denoiser, chain: Chain, x_T: X, noise: Noise) -> Iterator[State]:
        x = x_T
        for i in range(len(chain)):
            state = self.step(denoiser, chain, i, x, noise)
            x = state.x
            yield state

    def step(self, denoiser: Denoiser, chain: Chain, i: int, x: X, noise: Noise) -> State:
        """Return the state after step i of the chain, from x at level i."""
        prediction = denoiser(x, chain.level(i))
        mean = reverse_mean(chain, i, x, prediction)
        log_variance = reverse_log_variance(chain, i, prediction)
        if prediction.gradient is not None:
            mean = mean + reverse_variance(chain, i, prediction) * prediction.gradient
        last = i == len(chain) - 1
        x = mean if last else mean + (0.5 * log_variance).exp() * noise(i)
        return State(chain.level(i + 1), x, prediction.x_0)
