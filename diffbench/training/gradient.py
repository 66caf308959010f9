"""The loss of a step's batch and its gradient, computed in parts and by several processes if asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor, nn

from diffbench.base.seeds import seed_torch
from diffbench.base.world import ALONE, World
from diffbench.diffusion.micro_batches import batch_ranges
from diffbench.training.gradient_sums import GradientSum, Summed, SummedByShard, SummedInOrder
from diffbench.training.settings import Training, require_shareable
from diffbench.training.step_batches import StepBatches
from diffbench.training.tasks import Counts, Losses, Task


@dataclass(frozen=True)
class Division:
    """How the batch of a step is divided. None of it changes a result by more than the rounding of sums, or dropout.

    world: the processes that share it. micro_batch: the most images that a process computes at once; None for all of
    its share. sharded: whether the processes share the weights, too (FSDP2), instead of holding all of them.
    """

    world: World = ALONE
    micro_batch: int | None = None
    sharded: bool = False

    def __post_init__(self):
        if self.micro_batch is not None and self.micro_batch < 1:
            raise ValueError(f"micro_batch must be positive, not {self.micro_batch}")
        if self.sharded and self.world.size == 1:
            raise ValueError("sharded: there is one process; start several by torchrun, or leave it out")

    def facts(self, settings: Training) -> dict[str, Any]:
        """Return what of the division may move the last bits of weights and, with dropout, the masks that are drawn.

        It is empty for one process that computes a batch at once, and for an exact sum.
        """
        if settings.exact_sum:
            return {}
        divided = {"processes": self.world.size, "micro_batch": self.micro_batch, "sharded": self.sharded}
        unchanged = {"processes": 1, "micro_batch": None, "sharded": False}
        return {name: value for name, value in divided.items() if value != unchanged[name]}


UNDIVIDED = Division()


def parts_of(settings: Training, division: Division) -> Sequence[slice]:
    """Return the rows of each part of the batch that this process computes.

    Raises: UserError if the processes cannot share the batch.
    """
    world, size = division.world, settings.batch_size
    require_shareable(settings, world.size, micro_batch=division.micro_batch, sharded=division.sharded)
    if settings.exact_sum:
        ranges = batch_ranges(size, settings.exact_images)
        first, last = (len(ranges) * rank // world.size for rank in (world.rank, world.rank + 1))
        return [slice(start, end) for start, end in ranges[first:last]]
    share = size // world.size
    ranges = batch_ranges(share, min(division.micro_batch or share, share))
    return [slice(world.rank * share + start, world.rank * share + end) for start, end in ranges]


@dataclass(frozen=True)
class Found:
    """What a batch gave. loss: the weighted mean. i, losses: each image's step, and its loss unweighted. counts: the
    task's."""

    loss: Float[Tensor, ""]
    i: Int[Tensor, " batch"]
    losses: Losses
    counts: Counts


class StepGradient:
    """The gradient of each step's batch, of which this process computes its parts."""

    def __init__(
        self, task: Task, settings: Training, batches: StepBatches, network: nn.Module, seed: int, division: Division
    ):
        self._task, self._batches, self._seed, self._world = task, batches, seed, division.world
        self._size, self._parts = settings.batch_size, parts_of(settings, division)
        self._sum: GradientSum = Summed(network, division.world)
        if division.sharded:
            self._sum = SummedByShard(network, division.world)
        elif settings.exact_sum:
            self._sum = SummedInOrder(network, division.world)

    def at(self, step: int) -> Found:
        """Return what a step's whole batch gave, and leave its gradient with the network's parameters."""
        found = [self._part(step, rows) for rows in self._parts]
        self._sum.finish()
        losses, i, weights, counts = (list(column) for column in zip(*found, strict=True))
        return self._whole(torch.cat(losses), torch.cat(i), torch.cat(weights), torch.stack(counts).sum(dim=0))

    def _part(self, step: int, rows: slice) -> tuple[Losses, Tensor, Tensor, Counts]:
        """Return losses, steps, weights and counts of a part, and add its gradient to the parameters'."""
        batch, weights = self._batches.at(step, rows)
        # Masks are drawn for the part as a whole, and no two parts have the same.
        seed_torch(self._seed, "dropout", step, rows.start)
        self._sum.before(last=rows is self._parts[-1])
        losses, counts = self._task.losses(batch)
        share = len(losses) / self._size * self._sum.divisor
        (_mean(weights, losses) * share).backward()
        self._sum.after()
        return losses.detach(), batch.i, weights, counts

    def _whole(self, losses: Losses, i: Tensor, weights: Tensor, counts: Counts) -> Found:
        """Return what the whole batch gave, from what the parts of this process gave."""
        if self._world.size > 1:
            own = slice(self._parts[0].start, self._parts[-1].stop)
            rows = torch.zeros(3, self._size, device=losses.device, dtype=torch.float64)
            rows[:, own] = torch.stack([held.to(rows) for held in (losses, i, weights)])
            rows, counts = self._world.total(rows), self._world.total(counts.clone())
            losses, i, weights = rows[0].to(losses.dtype), rows[1].to(i), rows[2].to(weights)
        return Found(_mean(weights, losses), i, losses, counts)


def _mean(weights: Float64[Tensor, " batch"], losses: Losses) -> Float[Tensor, ""]:
    return (weights.to(losses) * losses).mean()
