"""Timesteps drawn where the loss is large: importance sampling that keeps the mean and lowers its variance.

Nichol and Dhariwal 2021, section 3.3, eq. 18.
"""

# torch says that Tensor.tolist returns a list, and not of what.
# pyright: reportUnknownMemberType=false

from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from diffbench.base.seeds import Draw, Stream

State = dict[str, Tensor]
"""What is remembered of a run of training, by name; the loop checkpoints it blindly."""

Probabilities = Float64[Tensor, " steps"]


@dataclass(frozen=True)
class LossAware:
    """Draws a step with probability proportional to the root of its mean squared loss over its last `history` losses.

    Uniform until every step has as many. uniform_share: of the probability that is spread evenly, so that no step is
    forgotten; 0.001 in the released code, whose name for the whole is loss-second-moment.
    """

    history: int = 10
    uniform_share: float = 0.001

    def __post_init__(self):
        if self.history < 1:
            raise ValueError(f"history must be positive, not {self.history}")
        if not 0 < self.uniform_share <= 1:
            raise ValueError(f"uniform_share must be above 0 and at most 1, not {self.uniform_share}")

    def start(self, length: int) -> State:
        """Return the state of a run that has seen no loss; length: steps of the training chain."""
        losses = torch.zeros(length, self.history, dtype=torch.float64)
        return {"losses": losses, "seen": torch.zeros(length, dtype=torch.int64)}

    def probabilities(self, state: State) -> Probabilities | None:
        """Return the probability of each step, None for uniform ones."""
        if bool((state["seen"] < self.history).any()):
            return None
        root = state["losses"].square().mean(dim=1).sqrt()
        total = root.sum()
        if total == 0:
            return None
        return (1 - self.uniform_share) * root / total + self.uniform_share / len(root)

    def update(self, state: State, i: Int[Tensor, " batch"], losses: Float[Tensor, " batch"]) -> None:
        """Take note of the losses met at steps i, each in the place of its step's oldest."""
        kept, seen = state["losses"].numpy(), state["seen"].numpy()
        # One by one: a step may stand in a batch twice.
        steps, values = cast(list[int], i.tolist()), cast(list[float], losses.tolist())
        for step, loss in zip(steps, values, strict=True):
            kept[step, seen[step] % self.history] = loss
            seen[step] += 1


def drawn_steps(
    stream: Stream, index: Int[Tensor, " batch"], draw: Draw, length: int, probabilities: Probabilities | None
) -> tuple[Int[Tensor, " batch"], Float64[Tensor, " batch"]]:
    """Return a step for each index, and the weight 1 / (length p) that keeps a mean over steps what it is.

    probabilities: of the steps 0 .. length - 1; None draws uniformly, at weight 1. By the inverse of the distribution
    function at one uniform number each.
    """
    if probabilities is None:
        return stream.integers(index, draw, length), torch.ones(len(index), dtype=torch.float64)
    function = probabilities.cumsum(0)
    uniform = stream.uniform(index, draw)[:, 0].to(function.device)
    i = torch.searchsorted(function, uniform * function[-1], right=True).clamp(max=length - 1)
    return i, 1 / (length * probabilities[i])
