"""The gradient noise scale of a training, estimated from the gradients of the steps between two rows of its log.

Source: McCandlish et al. 2018, "An Empirical Model of Large-Batch Training", section 2.2 and appendix A.1. Nichol and
Dhariwal 2021 use it in section 3.3 to compare objectives.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float64
from torch import Tensor, nn

from diffbench.training.sharding import like, local


def noise_scale(squared_norm: float, product: float, batch_size: int) -> float | None:
    """Return B_simple = tr(Sigma) / |G|^2 in images, or None if it cannot be estimated.

    Sigma is the covariance of one image's gradient, and G is the mean gradient. A batch of B images has a gradient g
    with E|g|^2 = |G|^2 + tr(Sigma) / B, and two independent batches have E[g g'] = |G|^2. So with the mean over steps
    of |g|^2 (squared_norm) and of the product with the gradient of the step before (product),

        |G|^2     = product
        tr(Sigma) = B (squared_norm - product)

    The scale has three biases:

    1. Between two steps the weights move against the first gradient, its noise included. That makes the product smaller
       and the scale too large, the more so the higher the learning rate is. Gradients that are further apart are more
       biased, so only neighbours are used.
    2. The batches of an epoch share no image, so they are not independent. With N training images, the product is
       smaller by tr(Sigma_x) / (N - 1), where Sigma_x is the part of Sigma that the choice of images causes. Noise and
       timesteps, which cause the rest, are drawn anew for each batch.
    3. A quotient of two estimates is not the estimate of the quotient: where the scale is far above all images between
       two rows, |G|^2 is uncertain, and the scale with it.

    None is returned if the estimate of |G|^2 is not above 0, or if a number is not finite.
    """
    noise = batch_size * (squared_norm - product)
    return noise / product if product > 0 and math.isfinite(noise) else None


class GradientProducts:
    """The products of each step's gradient with the one before, which takes as much memory as the parameters."""

    def __init__(self, network: nn.Module):
        self._parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self._before = [torch.zeros_like(parameter) for parameter in self._parameters]

    def next(self) -> Float64[Tensor, ""]:
        """Return the product of the parameters' present gradients with those of the step before; 0 at the first step.

        Call this before they are clipped. Processes that share the weights each return their share of it.
        """
        given = [(before, own.grad) for before, own in zip(self._before, self._parameters, strict=True)]
        pairs = [(before, gradient) for before, gradient in given if gradient is not None]
        before, gradients = [local(held) for held, _ in pairs], [local(gradient) for _, gradient in pairs]
        torch._foreach_mul_(before, gradients)  # pyright: ignore[reportPrivateImportUsage]
        product = torch.stack([held.sum() for held in before]).double().sum()
        torch._foreach_copy_(before, gradients)  # pyright: ignore[reportPrivateImportUsage]
        return product

    @property
    def state(self) -> list[Tensor]:
        """The gradients of the last step, which are part of each checkpoint."""
        return self._before

    def restore(self, state: Sequence[Tensor]) -> None:
        """Go on from the gradients of a checkpoint."""
        for held, stored in zip(self._before, state, strict=True):
            held.copy_(like(held, stored))
