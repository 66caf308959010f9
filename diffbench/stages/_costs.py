"""What a sample set costs: network evaluations that are counted while it is drawn, and operations of one of them."""

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from diffbench.base.errors import UserError
from diffbench.diffusion.denoiser import Condition, Denoiser, ModelDenoiser
from diffbench.diffusion.parameterization import Prediction, X
from diffbench.diffusion.process import Level
from diffbench.guidance._gradient import ClassifierGradient
from diffbench.jobs.weights_facts import WeightsFacts
from diffbench.samplers._contract import State
from diffbench.stages._shards import Spent


@dataclass
class Meter:
    """A denoiser that counts what is evaluated for a micro-batch.

    denoiser: what a sampler is to call, which calls `model` and `gradient` in its turn. name: the sampler's, for
    messages. adaptive: whether it says how many evaluations each image took.
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
        """Begin a micro-batch."""
        self.calls, self.said, self.before = 0, None, self._rows()

    def step(self, state: State) -> None:
        """Take what an adaptive sampler says after a step of the evaluations that each image took so far."""
        if self.adaptive and state.nfe is not None:
            self.said = np.asarray(state.nfe)
            if self.said.shape != (len(state.x),):
                raise UserError(f"sampler {self.name}: State.nfe is not one number for each image")

    def spent(self, num_images: int, micro_batch: int) -> Spent:
        """Return what a micro-batch of so many images cost, padded to `micro_batch`."""
        rows, classified = (now - then for now, then in zip(self._rows(), self.before, strict=True))
        # Where images take as many evaluations as each needs, the batch runs until the last of them is done.
        evaluations = rows / micro_batch
        if self.said is None:
            return Spent(rows, classified, np.full(num_images, evaluations))
        # A call may evaluate the network more than once, as guidance without a classifier does.
        return Spent(rows, classified, self.said[:num_images] * (evaluations / self.calls))

    def _rows(self) -> tuple[int, int]:
        return self.model.rows, self.gradient.rows if self.gradient else 0


def flops(model: ModelDenoiser, facts: WeightsFacts, device: torch.device, conditional: bool) -> int:
    """Return the floating-point operations of one network evaluation of one image (a multiply-add is two)."""
    height, width, channels = facts.shape
    x = torch.zeros(1, channels, height, width, device=device)
    y = torch.zeros(1, dtype=torch.int64, device=device) if conditional else None
    low_res = None
    if facts.low_size is not None:
        low_res = torch.zeros(1, channels, facts.low_size, width * facts.low_size // height, device=device)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.network(x, torch.zeros(1, device=device), y, low_res)
    return counter.get_total_flops()


def gradient_flops(gradient: ClassifierGradient, facts: WeightsFacts, device: torch.device) -> int:
    """Return the floating-point operations of one evaluation of the gradient for one image, forward and backward."""
    height, width, channels = facts.shape
    x = torch.zeros(1, channels, height, width, device=device)
    y = torch.zeros(1, dtype=torch.int64, device=device)
    # The counter's own hooks cannot follow a gradient to a module's input that is a leaf.
    counted = replace(gradient, network=lambda x, t: gradient.network(x.view_as(x), t))
    with FlopCounterMode(display=False) as counter:
        counted(x, gradient.chain.level(0), Condition(y=y))
    return counter.get_total_flops()
