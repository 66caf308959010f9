"""What an objective is given, and what it must give back."""

from typing import ClassVar

from jaxtyping import Float, Int
from torch import Tensor

from diffbench.base.seeds import Draw, Stream
from diffbench.diffusion.batch import NoisedBatch


class Objective:
    """Base of the objectives: frozen dataclasses that turn a batch into a loss per image.

    needs_variance: whether the network must learn its variance (True), must not (False), or may (None).
    """

    needs_variance: ClassVar[bool | None]

    def steps(self, stream: Stream, index: Int[Tensor, " batch"], draw: Draw, length: int) -> Int[Tensor, " batch"]:
        """Return the step of the training chain (0 the noisiest) at which each image is noised: uniform ones."""
        return stream.integers(index, draw, length)

    def __call__(self, batch: NoisedBatch) -> Float[Tensor, " batch"]:
        """Return the loss of each image, unreduced."""
        raise NotImplementedError
