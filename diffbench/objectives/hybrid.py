"""L_hybrid = L_simple + lambda L_vlb, the bound guiding the variance alone.

Nichol and Dhariwal 2021, section 3.1 (lambda = 0.001, gradients of L_vlb stopped at the mean).
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

    vlb_weight: lambda, on the sum over all T terms. The released code adds one term times T / 1000, which is 0.001; its
    flag rescale_learned_sigmas False adds it once, which is 1 / T. loss_aware: as Vlb's; the papers draw uniformly.
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
