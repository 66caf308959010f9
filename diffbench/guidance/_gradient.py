"""The gradient of a noisy classifier's log-probability, which classifier guidance follows."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from diffbench.base.errors import UserError
from diffbench.base.forward import Forward
from diffbench.diffusion.denoiser import Condition, Diffusion
from diffbench.diffusion.off_grid import OffGrid
from diffbench.diffusion.parameterization import X
from diffbench.diffusion.process import Chain, Level
from diffbench.diffusion.trained_levels import TrainedLevels


@dataclass
class ClassifierGradient:
    """The function gradient(x, level, condition): grad log p(y | x_t) of a classifier that was trained on a chain.

    network: network(x, t) -> logits. network_t: the t that it is given at each level of `chain`. off_grid: the rule for
    levels between them, see TrainedLevels. rows: evaluations so far, one for each image of a batch; each is a forward
    and a backward pass.
    Source: Dhariwal and Nichol 2021, section 4.1.
    """

    network: Forward
    chain: Chain
    network_t: Float[Tensor, " steps"]
    off_grid: OffGrid = "refuse"
    rows: int = field(default=0, init=False)

    @classmethod
    def of(cls, diffusion: Diffusion, network: Forward, off_grid: OffGrid = "refuse") -> "ClassifierGradient":
        """Return the gradient of a network and of the process on whose noise it was trained."""
        return cls(network, diffusion.chain(), diffusion.network_timesteps(), off_grid)

    def __post_init__(self):
        self.levels = TrainedLevels(self.chain, self.network_t, self.off_grid)

    def __call__(self, x: X, level: Level, condition: Condition | None = None) -> X:
        """Return the gradient with respect to x, for the label of each image.

        Raises: UserError without labels, OffGridError at a level on which the classifier was not trained.
        """
        if condition is None or condition.y is None:
            raise UserError("classifier guidance needs a label for every image")
        _, t, _ = self.levels.at(level, "the classifier")
        t = (t.expand(len(x)) if t.ndim else t.repeat(len(x))).to(x.device)
        self.rows += len(x)
        # Sampling runs without gradients, so they must be switched on here.
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            log_p = self.network(x, t).log_softmax(dim=1)
            chosen = log_p.gather(1, condition.y[:, None]).sum()
            return torch.autograd.grad(chosen, x)[0]
