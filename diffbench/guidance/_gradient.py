"""The gradient of a noisy classifier's log-probability, which classifier guidance follows."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor, nn

from diffbench.base.errors import UserError
from diffbench.diffusion.denoiser import Condition, Diffusion, OffGridError, ascending_log_noise, nearest_step
from diffbench.diffusion.parameterization import X
from diffbench.diffusion.process import Chain, Level


@dataclass
class ClassifierGradient:
    """grad log p(y | x_t) of a network that was trained on a chain: gradient(x, level, condition).

    network: network(x, t) -> logits. network_t: what it is given for t at each level of `chain`. rows: images for which
    it was evaluated so far, each time forward and backward.
    Source: Dhariwal and Nichol 2021, section 4.1.
    """

    network: nn.Module
    chain: Chain
    network_t: Float[Tensor, " steps"]
    rows: int = field(default=0, init=False)

    @classmethod
    def of(cls, diffusion: Diffusion, network: nn.Module) -> "ClassifierGradient":
        """Return the gradient of a network and the process whose noise it was trained on."""
        return cls(network, diffusion.chain(), diffusion.network_timesteps())

    def __post_init__(self):
        self._log_noise = ascending_log_noise(self.chain)

    def __call__(self, x: X, level: Level, condition: Condition | None = None) -> X:
        """Return the gradient with respect to x, each image's for its own label.

        Raises: UserError without labels, OffGridError at a level that the classifier was not trained on.
        """
        if condition is None or condition.y is None:
            raise UserError("classifier guidance needs a label for every image")
        i, exact = nearest_step(self._log_noise, level)
        if not exact:
            raise OffGridError(
                f"the classifier was trained at {len(self.chain)} noise levels and was asked about another one; "
                "use levels of its own chain"
            )
        i = i.expand(len(x)) if i.ndim else i.repeat(len(x))
        self.rows += len(x)
        # Sampling runs without gradients; this one is its own.
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            log_p = self.network(x, self.network_t.to(x.device)[i]).log_softmax(dim=1)
            chosen = log_p.gather(1, condition.y[:, None]).sum()
            return torch.autograd.grad(chosen, x)[0]
