"""A batch in training: data, its noised version, and what the model said of it."""

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor

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
