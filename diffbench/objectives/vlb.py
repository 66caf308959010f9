"""L_vlb: the variational bound itself, estimated from one randomly drawn term per image.

Ho et al. 2020, eq. 5; Nichol and Dhariwal 2021, section 3.3.
"""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from diffbench.diffusion.batch import Objective, PredictedBatch
from diffbench.diffusion.likelihood import vlb_term
from diffbench.diffusion.loss_aware import LossAware


@dataclass(frozen=True)
class Vlb(Objective):
    """T times the bound's term at the drawn step: an unbiased estimate of the bound (without L_T), in bits/dim.

    loss_aware: draw steps more often where losses were large, as for the published L_vlb models; null draws uniformly.
    """

    loss_aware: LossAware | None = None

    needs_variance: ClassVar[bool | None] = None

    def __call__(self, batch: PredictedBatch) -> Float[Tensor, " batch"]:
        term = vlb_term(batch.chain, batch.i, batch.x_0, batch.x_t, batch.prediction, batch.levels)
        return len(batch.chain) * term
