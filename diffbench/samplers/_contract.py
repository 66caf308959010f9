"""What a sampler is given, and what it must give back."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

from jaxtyping import Int
from torch import Tensor

from diffbench.diffusion.denoiser import Denoiser
from diffbench.diffusion.parameterization import X
from diffbench.diffusion.process import Chain, Level

Noise = Callable[[int], X]
"""noise(i) is the i-th draw of standard normals for this batch; the same i gives the same draw."""


@dataclass(frozen=True)
class State:
    """Where a sampler stands after a step: the level it reached, x there, and its present prediction of x_0.

    nfe: evaluations that each image's own steps took so far, where images of a batch differ in that.
    """

    level: Level
    x: X
    x_0: X
    nfe: Int[Tensor, " batch"] | None = None


@runtime_checkable
class Sampler(Protocol):
    """A frozen dataclass that walks a chain.

    order, startup_order: of its global error, and of the steps before its history is full. stochastic: whether it draws
    noise. applies_gradient: whether it adds guidance's gradient itself (Prediction.gradient); otherwise guidance
    arrives already inside eps and x_0. May declare besides: `leaves_grid`, that it asks for levels between the chain's;
    `adaptive`, that it chooses its own steps between the chain's ends.
    """

    order: ClassVar[int]
    startup_order: ClassVar[int]
    stochastic: ClassVar[bool]
    applies_gradient: ClassVar[bool]

    def __call__(self, denoiser: Denoiser, chain: Chain, x_T: X, noise: Noise) -> Iterator[State]:
        """Yield a State per step; the last one's x, at the clean level, is the sample."""
        ...
