"""The gradient of a noisy classifier's log-probability, which classifier guidance follows."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn

from diffbench.base.errors import UserError
from diffbench.diffusion.denoiser import Condition, Diffusion
from diffbench.diffusion.parameterization import X
from diffbench.diffusion.process import Chain, Level
from diffbench.diffusion.trained_levels import OffGrid, TrainedLevels


@dataclass
class ClassifierGradient:
    """grad log p(y | x_t) of a network that was trained on a chain: gradient(x, level, condition).

    network: network(x, t) -> logits. network_t: what it is given for t at each level of `chain`; off_grid: and between
    them, see TrainedLevels. rows: images for which it was evaluated so far, each time forward and backward.
    Source: Dhariwal and Nichol 2021, section 4.1.
    """

    network: nn.Module
    chain: Chain
    network_t: Float[Tensor, " steps"]
    off_grid: OffGrid = "refuse"
    rows: int = field(default=0, init=False)

    @classmethod
    def of(cls, diffusion: Diffusion, network: nn.Module, off_grid: OffGrid = "refuse") -> "ClassifierGradient":
        """Return the gradient of a network and the process whose noise it was trained on."""
        return cls(network, diffusion.chain(), diffusion.network_timesteps(), off_grid)

    def __post_init__(self):
        self.levels = TrainedLevels(self.chain, self.network_t, self.off_grid)

    def __call__(self, x: X, level: Level, condition: Condition | None = None) -> X:
        """Return the gradient with respect to x, each image's for its own label.

        Raises: UserError without labels, OffGridError at a level that the classifier was not trained on.
        """
        if condition is None or condition.y is None:
            raise UserError("classifier guidance needs a label for every image")
        _, t, _ = self.levels.at(level, "the classifier")
        t = (t.expand(len(x)) if t.ndim else t.repeat(len(x))).to(x.device)
        self.rows += len(x)
        # Sampling runs without gradients; this one is its own.
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            log_p = self.network(x, t).log_softmax(dim=1)
            chosen = log_p.gather(1, condition.y[:, None]).sum()
            return torch.autograd.grad(chosen, x)[0]
