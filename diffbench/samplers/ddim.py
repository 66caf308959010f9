"""DDIM: a family of samplers that share the training objective, deterministic at eta = 0.

Song et al. 2021, "Denoising diffusion implicit models", eq. 12 and 16.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from diffbench.base.errors import UserError
from diffbench.diffusion.denoiser import Denoiser
from diffbench.diffusion.parameterization import X
from diffbench.diffusion.process import Chain, Level, over
from diffbench.samplers._contract import Noise, State
from diffbench.samplers._steps import towards


@dataclass(frozen=True)
class Ddim:
    """Steps to the next level along the predicted eps.

    eta: standard deviation of the noise in units of sqrt(beta_tilde); 0 draws none, 1 is DDPM's small variance.
    """

    eta: float = 0.0

    order: ClassVar[int] = 1
    startup_order: ClassVar[int] = 1
    applies_gradient: ClassVar[bool] = False

    @property
    def stochastic(self) -> bool:
        """Whether it draws noise."""
        return self.eta > 0

    def __post_init__(self):
        if not 0 <= self.eta <= 1:
            raise ValueError(f"eta must be between 0 and 1, not {self.eta}")

    def __call__(self, denoiser: Denoiser, chain: Chain, x_T: X, noise: Noise) -> Iterator[State]:
        x = x_T
        for i in range(len(chain)):
            state = self.step(denoiser, chain, i, x, noise)
            x = state.x
            yield state

    def step(self, denoiser: Denoiser, chain: Chain, i: int, x: X, noise: Noise) -> State:
        """Return the state after step i of the chain, from x at level i."""
        prediction = denoiser(x, chain.level(i))
        deviation = self.eta * chain.beta_tilde[i].sqrt()
        target = chain.level(i + 1)
        x = towards(prediction, Level(target.alpha, (target.sigma**2 - deviation**2).sqrt()))
        if deviation > 0:
            x = x + over(deviation, x) * noise(i)
        return State(target, x, prediction.x_0)

    def encode(self, denoiser: Denoiser, chain: Chain, x_0: X) -> Iterator[State]:
        """Yield the states of an image on its way up the chain. The x of the last one is the noise that decodes to it.

        The image is taken to be at the chain's least noisy level, because the clean level has no eps. Raises: UserError
        if eta is not 0, because noise cannot be undone. Source: Song et al. 2021, section 4.3 and 5.4.
        """
        if self.eta != 0:
            raise UserError(f"ddim: only eta = 0 encodes, not {self.eta}")
        x = x_0
        for i in range(len(chain) - 1, 0, -1):
            prediction = denoiser(x, chain.level(i))
            x = towards(prediction, chain.level(i - 1))
            yield State(chain.level(i - 1), x, prediction.x_0)
