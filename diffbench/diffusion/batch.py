"""What training compares: a batch of data, noised, and what the model said of it; and what an objective makes of it."""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float, Float64, Int
from torch import Tensor

from diffbench.base.seeds import Draw, Stream
from diffbench.diffusion.denoiser import Condition
from diffbench.diffusion.likelihood import per_image
from diffbench.diffusion.loss_aware import LossAware, Probabilities, State, drawn_steps
from diffbench.diffusion.parameterization import Parameterization, Prediction, X
from diffbench.diffusion.process import Chain, noised


@dataclass(frozen=True)
class NoisedBatch:
    """Data x_0 noised to step i of the training chain by eps, and what a network is told beside x_t."""

    chain: Chain
    i: Int[Tensor, " batch"]
    x_0: X
    x_t: X
    eps: X
    condition: Condition = Condition()


def noised_batch(chain: Chain, i: Int[Tensor, " batch"], x_0: X, eps: X, condition: Condition) -> NoisedBatch:
    """Return the batch whose x_t is x_0 noised by eps to level i of the chain."""
    return NoisedBatch(chain, i, x_0, noised(x_0, chain.level(i), eps), eps, condition)


@dataclass(frozen=True, kw_only=True)
class PredictedBatch(NoisedBatch):
    """A noised batch, and what the model said of it.

    form: what its network predicts. levels: grey levels of the data, for the decoder.
    """

    prediction: Prediction
    form: Parameterization
    levels: int

    @classmethod
    def of(cls, batch: NoisedBatch, prediction: Prediction, form: Parameterization, levels: int) -> "PredictedBatch":
        """Return the batch with what was said of it."""
        given = (batch.chain, batch.i, batch.x_0, batch.x_t, batch.eps, batch.condition)
        return cls(*given, prediction=prediction, form=form, levels=levels)

    def squared_error(self) -> Float[Tensor, " batch"]:
        """Return each image's mean squared error of what the network predicts."""
        target = self.form.target(self.chain, self.i, self.x_0, self.x_t, self.eps)
        return per_image((self.form.output(self.chain, self.i, self.prediction) - target) ** 2)


class Objective:
    """Base of the objectives: frozen dataclasses that turn a batch into a loss per image.

    needs_variance: whether the network must learn its variance (True), must not (False), or may (None). loss_aware: how
    steps are drawn that follow the losses; None draws uniformly. What an objective remembers of a run is a state, which
    the loop holds and checkpoints; one with another rule for its steps overrides start, probabilities and update.
    """

    needs_variance: ClassVar[bool | None]
    loss_aware: LossAware | None = None

    def start(self, length: int) -> State:
        """Return the state in which a run starts; length: steps of the training chain."""
        return self.loss_aware.start(length) if self.loss_aware else {}

    def probabilities(self, state: State) -> Probabilities | None:
        """Return with which probability each step of the chain is drawn next; None is uniform."""
        return self.loss_aware.probabilities(state) if self.loss_aware else None

    def update(self, state: State, i: Int[Tensor, " batch"], losses: Float[Tensor, " batch"]) -> None:
        """Take note, in the state, of the losses (unweighted) of images noised at steps i."""
        if self.loss_aware:
            self.loss_aware.update(state, i, losses)

    def steps(
        self, stream: Stream, index: Int[Tensor, " batch"], draw: Draw, length: int, state: State
    ) -> tuple[Int[Tensor, " batch"], Float64[Tensor, " batch"]]:
        """Return the step of the chain (0 the noisiest) at which each image is noised, and its loss's weight."""
        return drawn_steps(stream, index, draw, length, self.probabilities(state))

    def __call__(self, batch: PredictedBatch) -> Float[Tensor, " batch"]:
        """Return the loss of each image, unreduced and unweighted."""
        raise NotImplementedError
