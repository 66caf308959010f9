"""Training tasks of a network that is given noised images: to denoise them, or to classify them."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor, nn
from torch.nn import functional

from diffbench.base.errors import UserError
from diffbench.base.forward import forward_of
from diffbench.base.numerics import DEFAULT_NUMERICS, Numerics
from diffbench.base.seeds import Draw, Stream
from diffbench.diffusion.batch import NoisedBatch, Objective, PredictedBatch
from diffbench.diffusion.denoiser import Diffusion, ModelDenoiser
from diffbench.diffusion.loss_aware import State, drawn_steps
from diffbench.diffusion.parameterization import PARAMETERIZATIONS
from diffbench.diffusion.process import Chain

QUARTERS = 4
"""Parts of the chain for which a classifier's accuracy is logged; q0 is the cleanest, as in the published code."""

Steps = tuple[Int[Tensor, " batch"], Float64[Tensor, " batch"]]
"""The step of the training chain (0 is the noisiest) to which each image is noised, and the weight of its loss."""

Losses = Float[Tensor, " batch"]
Counts = Float[Tensor, " counts"]


@runtime_checkable
class Task(Protocol):
    """What the training loop optimises, batch by batch.

    counts: names of the counts that `losses` returns too, which are summed
    between two rows of the log. state: what the task remembers during training; it is part of each checkpoint.
    """

    network: nn.Module
    chain: Chain
    counts: tuple[str, ...]
    state: State

    def to(self, device: torch.device) -> None:
        """Put everything but the network on the device on which batches are."""
        ...

    def steps(self, stream: Stream, index: Int[Tensor, " batch"], draw: Draw) -> Steps:
        """Return the steps of a batch and the weights of their losses."""
        ...

    def losses(self, batch: NoisedBatch) -> tuple[Losses, Counts]:
        """Return the unweighted loss of each image, and the counts of the batch."""
        ...

    def update(self, i: Int[Tensor, " batch"], losses: Losses) -> None:
        """Update the state with the losses at steps i."""
        ...

    def row(self, sums: Mapping[str, float]) -> dict[str, float | None]:
        """Return additional columns of the log from the summed counts; a value is None if nothing was counted."""
        ...


class Denoising:
    """Training of a model: the objective decides which steps are drawn and what is compared."""

    counts = ()

    def __init__(
        self,
        network: nn.Module,
        diffusion: Diffusion,
        objective: Objective,
        levels: int,
        numerics: Numerics = DEFAULT_NUMERICS,
    ):
        """levels: the number of grey levels of the data."""
        self.network, self.objective, self._levels = network, objective, levels
        self._denoiser = ModelDenoiser.of(diffusion, forward_of(network, numerics))
        self._form = PARAMETERIZATIONS[diffusion.parameterization]
        self.chain = self._denoiser.chain
        self.state = objective.start(len(self.chain))

    def to(self, device: torch.device) -> None:
        """Put the chain's tables and the objective's state on a device."""
        self._denoiser = self._denoiser.to(device)
        self.chain = self._denoiser.chain
        self.state = {name: tensor.to(device) for name, tensor in self.state.items()}

    def steps(self, stream: Stream, index: Int[Tensor, " batch"], draw: Draw) -> Steps:
        """Return the steps that the objective draws."""
        return self.objective.steps(stream, index, draw, len(self.chain), self.state)

    def losses(self, batch: NoisedBatch) -> tuple[Losses, Counts]:
        """Return the objective's loss of each image, and no counts."""
        prediction = self._denoiser.at_steps(batch.x_t, batch.i, batch.condition)
        said = PredictedBatch.of(batch, prediction, self._form, self._levels)
        return self.objective(said), batch.x_0.new_empty(0)

    def update(self, i: Int[Tensor, " batch"], losses: Losses) -> None:
        """Pass the losses on to the objective."""
        self.objective.update(self.state, i, losses)

    def row(self, sums: Mapping[str, float]) -> dict[str, float | None]:
        """Return no additional columns."""
        return {}


class Classification:
    """Training of a classifier of noised images: cross-entropy at uniformly drawn steps, accuracy by noise level.

    Source: Dhariwal and Nichol 2021, section 4 and appendix H.
    """

    counts = tuple(f"{kind}_q{quarter}" for kind in ("right", "seen") for quarter in range(QUARTERS))

    def __init__(self, network: nn.Module, diffusion: Diffusion, numerics: Numerics = DEFAULT_NUMERICS):
        self.network, self.chain = network, diffusion.chain()
        self._forward = forward_of(network, numerics)
        self._network_t = diffusion.network_timesteps()
        self.state: State = {}

    def to(self, device: torch.device) -> None:
        """Put the tables of the chain and of the network's t on a device."""
        self.chain, self._network_t = self.chain.to(device), self._network_t.to(device)

    def steps(self, stream: Stream, index: Int[Tensor, " batch"], draw: Draw) -> Steps:
        """Return steps drawn uniformly."""
        return drawn_steps(stream, index, draw, len(self.chain), None)

    def losses(self, batch: NoisedBatch) -> tuple[Losses, Counts]:
        """Return each image's cross-entropy in nats, and the counts.

        The counts are the right answers and the images in each quarter of the chain.
        """
        i, y = batch.i, batch.condition.y
        if batch.condition.low_res is not None:
            raise UserError("a classifier is not trained on pairs of resolutions")
        if y is None:
            raise UserError("a classifier is trained on labelled images, and these have no labels")
        logits = self._forward(batch.x_t, self._network_t[i])
        right = (logits.argmax(dim=1) == y).double()
        quarter = QUARTERS * (len(self.chain) - 1 - i) // len(self.chain)
        # functional.one_hot would look at the values on the host.
        member = (quarter[:, None] == torch.arange(QUARTERS, device=quarter.device)).double()
        return functional.cross_entropy(logits, y, reduction="none"), torch.cat([right @ member, member.sum(dim=0)])

    def update(self, i: Int[Tensor, " batch"], losses: Losses) -> None:
        """Do nothing: this task has no state."""

    def row(self, sums: Mapping[str, float]) -> dict[str, float | None]:
        """Return the accuracy in each quarter of the chain; accuracy_q0 is that of the cleanest."""
        pairs = [(sums[f"right_q{quarter}"], sums[f"seen_q{quarter}"]) for quarter in range(QUARTERS)]
        return {f"accuracy_q{q}": right / seen if seen else None for q, (right, seen) in enumerate(pairs)}
