"""The gradient noise scale of a training, estimated from the gradients of the steps between two rows of its log.

Source: McCandlish et al. 2018, "An Empirical Model of Large-Batch Training", section 2.2 and appendix A.1. Nichol and
Dhariwal 2021 use it in section 3.3 to compare objectives.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


def noise_scale(squared_norms: float, squared_norm_of_sum: float, steps: int, batch_size: int) -> float | None:
    """Return B_simple = tr(Sigma) / |G|^2 in images, or None if it cannot be estimated.

    Sigma is the covariance of one image's gradient, and G is the mean gradient. A batch of B images has a gradient g
    with E|g|^2 = |G|^2 + tr(Sigma) / B, and the mean of K such gradients has the same with K B in place of B. With
    S_1 = squared_norms / K, the mean of |g|^2, and S_K = squared_norm_of_sum / K^2, both are solved without bias:

        |G|^2     = (K S_K - S_1) / (K - 1)
        tr(Sigma) = B (S_1 - S_K) K / (K - 1)

    The quotient has two biases. The weights move during the K steps, so a change of G counts as noise and the scale is
    too large; this matters most in the first rows, and where learning is fast. And a quotient of two estimates is not
    the estimate of the quotient: where the noise is far greater than K B images can average out, |G|^2 is uncertain,
    and the scale with it.

    None is returned for fewer than two steps, for an estimate of |G|^2 that is not above 0, and for gradients that are
    not finite.
    """
    if steps < 2:
        return None
    one, mean = squared_norms / steps, squared_norm_of_sum / steps**2
    signal = (steps * mean - one) / (steps - 1)
    noise = batch_size * (one - mean) * steps / (steps - 1)
    return noise / signal if signal > 0 and math.isfinite(noise) else None


class GradientSum:
    """The sum of the gradients of steps; it takes as much memory as the parameters."""

    def __init__(self, network: nn.Module):
        self._parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
        self._sums = [torch.zeros_like(parameter) for parameter in self._parameters]

    def add(self) -> None:
        """Add the parameters' present gradients. Call this before they are clipped."""
        given = [(held, own.grad) for held, own in zip(self._sums, self._parameters, strict=True)]
        pairs = [(held, gradient) for held, gradient in given if gradient is not None]
        sums, gradients = [held for held, _ in pairs], [gradient for _, gradient in pairs]
        torch._foreach_add_(sums, gradients)  # pyright: ignore[reportPrivateImportUsage]

    def squared_norm(self) -> float:
        """Return the squared norm of the sum, in float64."""
        return math.fsum(float(held.double().square().sum()) for held in self._sums)

    def clear(self) -> None:
        """Begin a new sum."""
        torch._foreach_zero_(self._sums)  # pyright: ignore[reportPrivateImportUsage]

    @property
    def state(self) -> list[Tensor]:
        """The sums, which are part of each checkpoint."""
        return self._sums

    def restore(self, state: Sequence[Tensor]) -> None:
        """Go on from the sums of a checkpoint."""
        for held, stored in zip(self._sums, state, strict=True):
            held.copy_(stored)
