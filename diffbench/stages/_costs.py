"""The cost of a sample set: a count of its network evaluations, and the floating-point operations of one of them."""

from dataclasses import dataclass, field

import numpy as np
import torch

from diffbench.base.errors import UserError
from diffbench.base.sizes import shrunk_shape
from diffbench.diffusion.denoiser import Condition, Denoiser, ModelDenoiser
from diffbench.diffusion.parameterization import Prediction, X
from diffbench.diffusion.process import Level
from diffbench.guidance._gradient import ClassifierGradient
from diffbench.jobs.weights_facts import WeightsFacts
from diffbench.networks._flops import classifier_flops_per_row, flops_per_row
from diffbench.samplers._contract import State


@dataclass(frozen=True)
class Spent:
    """What a micro-batch cost.

    rows: rows that the network evaluated, padding included. classified: those that a classifier evaluated. nfe: the
    evaluations that each image needed itself.
    """

    rows: int
    classified: int
    nfe: np.ndarray


@dataclass
class Meter:
    """A denoiser that counts the evaluations for a micro-batch.

    denoiser: the one that the sampler would call without a meter; it calls `model` and `gradient`. name: the sampler's
    name, for messages. adaptive: whether the sampler reports how many evaluations each image took.
    """

    denoiser: Denoiser
    model: ModelDenoiser
    gradient: ClassifierGradient | None
    name: str
    adaptive: bool
    calls: int = field(default=0, init=False)
    before: tuple[int, int] = field(default=(0, 0), init=False)
    said: np.ndarray | None = field(default=None, init=False)

    def __call__(self, x: X, level: Level, condition: Condition | None = None) -> Prediction:
        self.calls += 1
        return self.denoiser(x, level, condition)

    def start(self) -> None:
        """Set the counts to zero for the next micro-batch."""
        self.calls, self.said, self.before = 0, None, self._rows()

    def step(self, state: State) -> None:
        """Keep the evaluations that each image took so far, which an adaptive sampler reports after each step."""
        if self.adaptive and state.nfe is not None:
            self.said = np.asarray(state.nfe)
            if self.said.shape != (len(state.x),):
                raise UserError(f"sampler {self.name}: State.nfe is not one number for each image")

    def spent(self, num_images: int, micro_batch: int) -> Spent:
        """Return the cost of a micro-batch of `num_images` images, which was padded to `micro_batch`."""
        rows, classified = (now - then for now, then in zip(self._rows(), self.before, strict=True))
        # With an adaptive sampler, the batch runs until its last image is done, so every image is evaluated that often.
        evaluations = rows / micro_batch
        if self.said is None:
            return Spent(rows, classified, np.full(num_images, evaluations))
        # One call may evaluate the network twice: guidance without a classifier does.
        return Spent(rows, classified, self.said[:num_images] * (evaluations / self.calls))

    def _rows(self) -> tuple[int, int]:
        return self.model.rows, self.gradient.rows if self.gradient else 0


def flops(meter: Meter, facts: WeightsFacts, device: torch.device, takes_labels: bool) -> tuple[int, int | None]:
    """Return the floating-point operations of one evaluation of one image: the network's, and the gradient's if any."""
    network, gradient, shape = meter.model.network, meter.gradient, facts.image_shape
    low_shape = None if facts.low_size is None else shrunk_shape(shape, facts.low_size)
    own = flops_per_row(network, shape, conditional=takes_labels, low_shape=low_shape, device=device)
    if gradient is None:
        return own, None
    return own, classifier_flops_per_row(gradient.network, shape, with_gradient=True, device=device)
