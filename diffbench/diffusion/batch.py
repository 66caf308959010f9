"""What training compares: a batch of data, noised, and what the model said of it; and what an objective makes of it."""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float, Int
from torch import Tensor

from diffbench.base.seeds import Draw, Stream
from diffbench.diffusion.likelihood import per_image
from diffbench.diffusion.parameterization import Parameterization, Prediction, X
from diffbench.diffusion.process import Chain


@dataclass(frozen=True)
class NoisedBatch:
    """Data x_0 noised to step i of the training chain by eps, and what the model said of it.

    form: what its network predicts. levels: grey levels of the data, for the decoder.
    """

    chain: Chain
    i: Int[Tensor, " batch"]
    x_0: X
    x_t: X
    eps: X
    prediction: Prediction
    form: Parameterization
    levels: int

    def squared_error(self) -> Float[Tensor, " batch"]:
        """Return each image's mean squared error of what the network predicts."""
        target = self.form.target(self.chain, self.i, self.x_0, self.x_t, self.eps)
        return per_image((self.form.output(self.chain, self.i, self.prediction) - target) ** 2)


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
