"""What a sampler is given, what it must give back, and what it may declare."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
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
    """Where a sampler is after a step: the level that it reached, x there, and its present prediction of x_0.

    nfe: evaluations that each image's own steps took so far, if images of a batch differ in that.
    """

    level: Level
    x: X
    x_0: X
    nfe: Int[Tensor, " batch"] | None = None


@runtime_checkable
class Sampler(Protocol):
    """A frozen dataclass that walks a chain.

    It need not inherit from this class: the loader adds the defaults given here. Any of these may be a property
    instead of a constant, if it depends on the sampler's options.
    """

    order: ClassVar[int]
    """The order of its global error: the exponent with which it falls as the number of steps grows."""
    startup_order: ClassVar[int]
    """The same for the steps before its history is full."""
    stochastic: ClassVar[bool]
    """Whether it draws noise."""
    applies_gradient: ClassVar[bool]
    """Whether it adds guidance's gradient (Prediction.gradient) itself; otherwise guidance is in eps and x_0."""

    leaves_grid: ClassVar[bool] = False
    """Whether it asks for levels between the chain's."""
    adaptive: ClassVar[bool] = False
    """Whether it chooses its own steps between the chain's ends; its rows then have 0 as their number of steps."""
    needs_error: ClassVar[bool] = False
    """Whether it reads Prediction.x_0_variance, which the model's bound on training images measures."""
    needs_variance: ClassVar[bool] = False
    """Whether it reads Prediction.variance_fraction, which only models that learn a range of variances have."""
    no_options: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """Why a key that a person would look for is not among its fields."""

    @abstractmethod
    def __call__(self, denoiser: Denoiser, chain: Chain, x_T: X, noise: Noise) -> Iterator[State]:
        """Yield a State per step; the last one's x, at the clean level, is the sample."""
        ...


CONTRACT = Sampler
