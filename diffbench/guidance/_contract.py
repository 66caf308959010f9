"""The contract of guidance: what each kind must have."""

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
    """How strongly it guides. It must be a field, because a benchmark may list several scales."""
    needs_classifier: ClassVar[bool]
    """Whether it is given a classifier's gradient."""
    before_clipping: ClassVar[bool]
    """Whether it is applied before x_0 is clipped (if it mixes eps) or after (if it shifts eps)."""

    @abstractmethod
    def __call__(self, denoiser: Denoiser, gradient: Gradient | None, /, *, applies_gradient: bool) -> Denoiser:
        """Return the guided denoiser; applies_gradient: what the sampler declares under that name."""
        ...


CONTRACT = Guidance
