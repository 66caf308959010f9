"""L_hybrid = L_simple + lambda L_vlb, where L_vlb trains the variance alone.

Nichol and Dhariwal 2021, section 3.1 (lambda = 0.001; no gradient of L_vlb flows through the mean).
"""

from dataclasses import dataclass, replace
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from diffbench.diffusion.batch import Objective, PredictedBatch
from diffbench.diffusion.likelihood import vlb_term
from diffbench.diffusion.loss_aware import LossAware


@dataclass(frozen=True)
class Hybrid(Objective):
    """Mean squared error of the prediction plus vlb_weight times the bound.

    vlb_weight: lambda, the weight of the sum over all T terms. The released code adds one term times T / 1000, which is
    a lambda of 0.001; with its flag rescale_learned_sigmas False it adds the term itself, a lambda of 1 / T.
    loss_aware: as in Vlb; the paper draws steps uniformly for this objective.
    """

    vlb_weight: float = 0.001
    loss_aware: LossAware | None = None

    needs_variance: ClassVar[bool | None] = True

    def __post_init__(self):
        if self.vlb_weight <= 0:
            raise ValueError(f"vlb_weight must be positive, not {self.vlb_weight}; for none, use the objective simple")

    def __call__(self, batch: PredictedBatch) -> Float[Tensor, " batch"]:
        said = batch.prediction
        mean = None if said.mean is None else said.mean.detach()
        stopped = replace(said, x_0=said.x_0.detach(), eps=said.eps.detach(), mean=mean)
        term = vlb_term(batch.chain, batch.i, batch.x_0, batch.x_t, stopped, batch.levels)
        return batch.squared_error() + self.vlb_weight * len(batch.chain) * term
