"""L_simple: the squared error of the network's prediction, with equal weights over timesteps.

Ho et al. 2020, eq. 14.
"""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from diffbench.diffusion.batch import Objective, PredictedBatch


@dataclass(frozen=True)
class Simple(Objective):
    """Mean squared error of the predicted eps (or x_0, mu, v)."""

    needs_variance: ClassVar[bool | None] = False

    def __call__(self, batch: PredictedBatch) -> Float[Tensor, " batch"]:
        return batch.squared_error()
