"""The loss of a step's batch and its gradient."""

from dataclasses import dataclass

from jaxtyping import Float, Float64
from torch import Tensor

from diffbench.diffusion.batch import NoisedBatch
from diffbench.training.tasks import Counts, Losses, Task


@dataclass(frozen=True)
class Found:
    """What a batch gave. loss: the weighted mean. losses: each image's, unweighted. counts: the task's."""

    loss: Float[Tensor, ""]
    losses: Losses
    counts: Counts


def gradient_of(task: Task, batch: NoisedBatch, weights: Float64[Tensor, " batch"]) -> Found:
    """Return what a batch gave, and add its gradient to that of the network's parameters."""
    losses, counts = task.losses(batch)
    loss = (weights.to(losses) * losses).mean()
    loss.backward()
    return Found(loss.detach(), losses.detach(), counts)
