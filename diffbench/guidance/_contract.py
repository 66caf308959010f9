"""What a guidance must have."""

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar, Protocol

from diffbench.diffusion.denoiser import Condition, Denoiser
from diffbench.diffusion.parameterization import X
from diffbench.diffusion.process import Level

Gradient = Callable[[X, Level, Condition | None], X]
"""gradient(x, level, condition): grad log p(y | x_t) with respect to x."""


class Guidance(Protocol):
    """A frozen dataclass that turns a denoiser into a guided one; it need not inherit from this class."""

    scale: float
    """How strongly it guides; a field, since a run may sweep it."""
    needs_classifier: ClassVar[bool]
    """Whether it is given a classifier's gradient."""
    before_clipping: ClassVar[bool]
    """Whether it comes before x_0 is clipped (eps is mixed) or after (eps is shifted)."""

    @abstractmethod
    def __call__(self, denoiser: Denoiser, gradient: Gradient | None, /, *, applies_gradient: bool) -> Denoiser:
        """Return the guided denoiser; applies_gradient is the sampler's declaration."""
        ...


CONTRACT = Guidance
