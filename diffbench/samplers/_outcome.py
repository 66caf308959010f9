"""The exact result of a sampler as a function of its starting noise, found by running it in float64.

With a denoiser that is affine in each entry of x (normal data's), a sampler that only adds and multiplies gives
x = shift + gain x_T + sum_i noise_gain_i noise(i). Runs from x_T = 0, from x_T = 1 and with one unit draw each give
every coefficient to rounding error, whatever history the sampler keeps and however many draws it takes.
"""

from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float64
from torch import Tensor

from diffbench.base.errors import UserError
from diffbench.diffusion.denoiser import Condition, Denoiser
from diffbench.diffusion.parameterization import Prediction, X
from diffbench.diffusion.process import Chain, Level
from diffbench.samplers._batches import walked
from diffbench.samplers._contract import Sampler

Entries = Float64[Tensor, "channel height width"]

AFFINE = 1e-6
"""The relative departure from the affine map that counts as rounding (a sampler may compute in float32)."""


class NotAffineError(UserError):
    """The sampler's result is not an affine function of its noise, so these moments are not its moments."""


@dataclass(frozen=True)
class Outcome:
    """Mean and variance of each entry of a sampler's result, over its starting noise and its draws.

    nfe: evaluations of the denoiser for one image.
    """

    mean: Entries
    variance: Entries
    nfe: float


@dataclass
class CountingDenoiser:
    """A denoiser that counts the images it has seen, and may report another reverse variance."""

    denoiser: Denoiser
    variance_fraction: float | None = None
    rows: int = field(default=0, init=False)

    def __call__(self, x: X, level: Level, condition: Condition | None = None) -> Prediction:
        self.rows += len(x)
        prediction = self.denoiser(x, level, condition)
        if self.variance_fraction is None:
            return prediction
        return replace(prediction, variance_fraction=torch.full_like(x, self.variance_fraction))


def exact_outcome(sampler: Sampler, denoiser: Denoiser, chain: Chain, shape: tuple[int, int, int]) -> Outcome:
    """Return the moments of what `sample` draws, with a denoiser that is affine in each entry of x.

    The starting noise has variance alpha^2 + sigma^2 of the chain's first level, as in `sample`.
    Raises: NotAffineError if a run with other numbers does not end where the coefficients say; UserError if the
    sampler fails.
    """
    draws: dict[int, int] = {}

    def listed(i: int) -> X:
        draws.setdefault(i, len(draws))
        return torch.zeros(1, *shape, dtype=torch.float64)

    counting = CountingDenoiser(denoiser)
    walked(sampler, counting, chain, torch.zeros(1, *shape, dtype=torch.float64), listed)

    # The rows start from 0, from 1, and with one unit draw each. The last row has numbers that check the coefficients.
    rows = len(draws) + 3
    x_T = torch.zeros(rows, *shape, dtype=torch.float64)
    x_T[1], x_T[-1] = 1, _numbers(-1, shape)

    def unit(i: int) -> X:
        if i not in draws:
            raise NotAffineError(f"sampler {type(sampler).__name__}: which noise it draws depends on the images")
        noise = torch.zeros_like(x_T)
        noise[2 + draws[i]], noise[-1] = 1, _numbers(i, shape)
        return noise

    x = walked(sampler, denoiser, chain, x_T, unit)
    shift, gains = x[0], x[1:-1] - x[0]
    inputs = torch.stack([_numbers(-1, shape), *(_numbers(i, shape) for i in draws)])
    expected = shift + (gains * inputs).sum(0)
    if bool(((x[-1] - expected).abs() > AFFINE * (1 + expected.abs())).any()):
        raise NotAffineError(f"sampler {type(sampler).__name__}: its result is not an affine function of its noise")
    start = float(chain.alphas[0] ** 2 + chain.sigmas[0] ** 2)
    return Outcome(shift, start * gains[0] ** 2 + (gains[1:] ** 2).sum(0), counting.rows)


def _numbers(i: int, shape: tuple[int, int, int]) -> Entries:
    """Return numbers in [-1, 1] that differ from draw to draw and from entry to entry. They need not be random."""
    place = torch.arange(torch.Size(shape).numel(), dtype=torch.float64).reshape(shape)
    return torch.cos(1 + 1.7 * place + 2.3 * (i + 2) + 0.1 * place * (i + 2))
