"""Noised batches of data, the model's predictions for them, and the base class of the objectives that compare both."""

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
    """Data x_0, noised with eps to level i of the training chain, and the condition that the network is given."""

    chain: Chain
    i: Int[Tensor, " batch"]
    x_0: X
    x_t: X
    eps: X
    condition: Condition = Condition()


def noised_batch(chain: Chain, i: Int[Tensor, " batch"], x_0: X, eps: X, condition: Condition) -> NoisedBatch:
    """Return the batch whose x_t is x_0, noised with eps to level i of the chain."""
    return NoisedBatch(chain, i, x_0, noised(x_0, chain.level(i), eps), eps, condition)


@dataclass(frozen=True, kw_only=True)
class PredictedBatch(NoisedBatch):
    """A noised batch and the model's prediction for it.

    form: what the network predicts (eps, x_0, mu or v). levels: the number of grey levels of the data, for the decoder.
    """

    prediction: Prediction
    form: Parameterization
    levels: int

    @classmethod
    def of(cls, batch: NoisedBatch, prediction: Prediction, form: Parameterization, levels: int) -> "PredictedBatch":
        """Return the batch with the model's prediction."""
        given = (batch.chain, batch.i, batch.x_0, batch.x_t, batch.eps, batch.condition)
        return cls(*given, prediction=prediction, form=form, levels=levels)

    def squared_error(self) -> Float[Tensor, " batch"]:
        """Return each image's mean squared error, in the quantity that the network predicts."""
        target = self.form.target(self.chain, self.i, self.x_0, self.x_t, self.eps)
        return per_image((self.form.output(self.chain, self.i, self.prediction) - target) ** 2)


class Objective:
    """Base of the objectives: frozen dataclasses that turn a batch into a loss per image.

    needs_variance: whether the network must learn its variance (True), must not (False), or may (None). loss_aware: how
    steps are drawn more often where losses are large; None draws uniformly. What an objective remembers during training
    is its state, which the training loop holds and checkpoints. An objective that draws its steps by another rule
    overrides start, probabilities and update.
    """

    needs_variance: ClassVar[bool | None]
    loss_aware: LossAware | None = None

    def start(self, length: int) -> State:
        """Return the state at the start of training; length: the number of steps of the training chain."""
        return self.loss_aware.start(length) if self.loss_aware else {}

    def probabilities(self, state: State) -> Probabilities | None:
        """Return the probability with which each step of the chain is drawn next; None, or equal ones, are uniform."""
        return self.loss_aware.probabilities(state) if self.loss_aware else None

    def update(self, state: State, i: Int[Tensor, " batch"], losses: Float[Tensor, " batch"]) -> None:
        """Update the state with the unweighted losses of images that were noised to steps i."""
        if self.loss_aware:
            self.loss_aware.update(state, i, losses)

    def steps(
        self, stream: Stream, index: Int[Tensor, " batch"], draw: Draw, length: int, state: State
    ) -> tuple[Int[Tensor, " batch"], Float64[Tensor, " batch"]]:
        """Return the step of the chain (0 is the noisiest) to which each image is noised, and its loss's weight."""
        return drawn_steps(stream, index, draw, length, self.probabilities(state))

    def __call__(self, batch: PredictedBatch) -> Float[Tensor, " batch"]:
        """Return the loss of each image, unreduced and unweighted."""
        raise NotImplementedError
