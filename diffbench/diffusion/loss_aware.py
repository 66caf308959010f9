"""Timesteps drawn more often where the loss is large: importance sampling of the mean loss, with less variance.

Nichol and Dhariwal 2021, section 3.3, eq. 18.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from diffbench.base.seeds import Draw, Stream

State = dict[str, Tensor]
"""What is remembered during training, by name; the loop checkpoints it without knowing what it means."""

Probabilities = Float64[Tensor, " steps"]


@dataclass(frozen=True)
class LossAware:
    """The rule that draws a step in proportion to the root mean square of its last `history` losses.

    Draws are uniform until every step has that many losses. history: the number of losses that are kept for each step.
    uniform_share: the share of the probability that is spread
    evenly, so that no step is forgotten; 0.001 in the released code, which calls this rule loss-second-moment.
    """

    history: int = 10
    uniform_share: float = 0.001

    def __post_init__(self):
        if self.history < 1:
            raise ValueError(f"history must be positive, not {self.history}")
        if not 0 < self.uniform_share <= 1:
            raise ValueError(f"uniform_share must be above 0 and at most 1, not {self.uniform_share}")

    def start(self, length: int) -> State:
        """Return the state before any loss was seen; length: the number of steps of the training chain."""
        losses = torch.zeros(length, self.history, dtype=torch.float64)
        return {"losses": losses, "seen": torch.zeros(length, dtype=torch.int64)}

    def probabilities(self, state: State) -> Probabilities:
        """Return the probability of each step. Until they differ, all are exactly equal."""
        root = state["losses"].square().mean(dim=1).sqrt()
        total, known = root.sum(), (state["seen"] >= self.history).all()
        uneven = (1 - self.uniform_share) * root / total + self.uniform_share / len(root)
        return torch.where(known & (total > 0), uneven, torch.full_like(root, 1 / len(root)))

    def update(self, state: State, i: Int[Tensor, " batch"], losses: Float[Tensor, " batch"]) -> None:
        """Update the state with the losses at steps i; each replaces the oldest loss of its step.

        Nothing here makes a host wait for a device.
        """
        earlier = (i[:, None] == i).tril(-1).sum(dim=1)
        place = i * self.history + (state["seen"][i] + earlier) % self.history
        # A step may occur in a batch so often that two of its losses get one place. Then the last of them counts.
        rows = torch.arange(len(i), device=i.device)
        last = torch.where(place[:, None] == place, rows, -1).amax(dim=1)
        state["losses"].view(-1)[place] = losses.to(state["losses"])[last]
        state["seen"].index_add_(0, i, torch.ones_like(i))


def drawn_steps(
    stream: Stream, index: Int[Tensor, " batch"], draw: Draw, length: int, probabilities: Probabilities | None
) -> tuple[Int[Tensor, " batch"], Float64[Tensor, " batch"]]:
    """Return a step for each index, and the weight 1 / (length p) with which a mean over steps stays unbiased.

    probabilities: those of the steps 0 .. length - 1. None, or equal ones, draw uniformly, with weight 1. Each step is
    drawn with one uniform number, by the inverse of the distribution function.
    """
    evenly = stream.integers(index, draw, length)
    ones = torch.ones(len(evenly), dtype=torch.float64, device=evenly.device)
    if probabilities is None:
        return evenly, ones
    function = probabilities.cumsum(0)
    uniform = stream.uniform(index, draw)[:, 0].to(function.device)
    i = torch.searchsorted(function, uniform * function[-1], right=True).clamp(max=length - 1)
    # A device decides which of both it is, because the host would have to wait for an answer.
    equal = (probabilities == probabilities[0]).all()
    return torch.where(equal, evenly, i), torch.where(equal, ones, 1 / (length * probabilities[i]))
