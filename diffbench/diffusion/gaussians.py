"""Normal data: the best denoiser, the density, the flow map and the variance of x_0 given x_t, all in closed form.

Entries are independent: an image is given in the basis in which its covariance is diagonal. Each entry is then one
direction, and a spectrum is a vector of variances. If x_0 has mean m and variance v, x_t is normal with mean alpha m
and variance alpha^2 v + sigma^2.
"""

# torch.fft has no annotations.
# pyright: reportUnknownMemberType=false

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from diffbench.base.seeds import Stream
from diffbench.diffusion.denoiser import Condition
from diffbench.diffusion.parameterization import Prediction, X
from diffbench.diffusion.process import Level, over

Spectrum = Float64[Tensor, "1 size size"]


@dataclass(frozen=True)
class Gaussian:
    """Data with independent normal entries.

    mean, variance: numbers, or float64 tensors that broadcast over an image. A variance of 0 is allowed, for low-rank
    data.
    """

    mean: float | Float64[Tensor, "..."] = 0.0
    variance: float | Float64[Tensor, "..."] = 0.25

    def draw(self, index: Int[Tensor, " batch"], seed: int, shape: Sequence[int]) -> X:
        """Return image k of the data for each index k, in float64; it depends on (seed, k) alone."""
        normal = Stream(seed, "data", index.device).normal(index, 0, shape).double()
        mean, variance = self.moments(normal)
        return mean + variance.sqrt() * normal

    def moments(self, x: X) -> tuple[Float[Tensor, "..."], Float[Tensor, "..."]]:
        """Return mean and variance with x's type and device."""
        # They go through float64 because a Python number would become a float32 first.
        mean, variance = (torch.as_tensor(value, dtype=torch.float64).to(x) for value in (self.mean, self.variance))
        return mean, variance

    def log_density(self, x: X, level: Level) -> Float[Tensor, " batch"]:
        """Return log q(x_t) of each image in nats, summed over its entries.

        Raises: ValueError if an entry has no density, because it has no variance and the level is the clean one.
        """
        mean, total = self._marginal(x, level)
        if not bool((total > 0).all()):
            raise ValueError("low-rank data has no density at the clean level")
        return -0.5 * ((x - mean) ** 2 / total + total.log() + math.log(2 * math.pi)).flatten(1).sum(1)

    def flow(self, x: X, level: Level, target: Level) -> X:
        """Return the point to which the probability-flow ODE carries x from one level to another, in either direction.

        Every entry keeps its distance from the mean in units of the marginal standard deviation.
        Source: Song et al. 2021, "Score-based generative modeling", eq. 13, solved for normal data.
        """
        mean, total = self._marginal(x, level)
        reached, spread = self._marginal(x, target)
        return reached + (spread / total).sqrt() * (x - mean)

    def error_variance(self, level: Level) -> Float64[Tensor, "levels ..."]:
        """Return Var[x_0 | x_t] of each entry at each given level, the least mean squared error of any prediction.

        The first axis is that of the levels; the others are those of `variance`.
        """
        variance = torch.as_tensor(self.variance, dtype=torch.float64)
        alpha, sigma = (value.reshape(-1, *[1] * variance.ndim) for value in (level.alpha, level.sigma))
        return variance * sigma**2 / (alpha**2 * variance + sigma**2)

    def denoiser(self, variance_fraction: float = 0.0) -> "GaussianDenoiser":
        """Return the exact denoiser of this data, which reports the given reverse variance."""
        return GaussianDenoiser(self.mean, self.variance, variance_fraction)

    def _marginal(self, x: X, level: Level) -> tuple[Tensor, Tensor]:
        """Return mean and variance of x_t at one level, or at each image's own."""
        mean, variance = self.moments(x)
        alpha, sigma = over(level.alpha, x), over(level.sigma, x)
        return alpha * mean, alpha**2 * variance + sigma**2


@dataclass(frozen=True)
class GaussianDenoiser(Gaussian):
    """The exact denoiser E[x_0 | x_t] of normal data.

    variance_fraction: the reverse variance to report, between beta_tilde (0) and beta (1).
    """

    variance_fraction: float = 0.0

    def __call__(self, x: X, level: Level, condition: Condition | None = None) -> Prediction:
        mean, variance = self.moments(x)
        alpha, sigma = over(level.alpha, x), over(level.sigma, x)
        # One quotient gives both x_0 and eps: x - alpha x_0 would lose the digits that the two have in common.
        scaled = (x - alpha * mean) / (alpha**2 * variance + sigma**2)
        fraction = x.new_full((1,), self.variance_fraction).expand_as(x)
        error = self.error_variance(level)
        error = error.reshape(len(error), -1).mean(1).reshape(level.alpha.shape)
        return Prediction(mean + alpha * variance * scaled, sigma * scaled, fraction, x_0_variance=error)


def power_spectrum(size: int, power: float, variance: float = 0.25) -> Spectrum:
    """Return variances that fall as frequency^-power and have the mean `variance`; power 0 is white noise.

    Directions are those of the discrete Fourier basis of a size x size image, ascending in frequency (cycles per image;
    the constant counts as 1). Every pixel of the image itself therefore has the mean variance.
    """
    values = _frequencies(size) ** -float(power)
    return (values * (variance / values.mean())).reshape(1, size, size)


def low_rank_spectrum(size: int, share: float, variance: float = 0.25) -> Spectrum:
    """Return variances with the mean `variance`: equal in the lowest `share` of the frequencies, 0 in the others."""
    rank = max(1, round(share * size**2))
    values = torch.zeros(size**2, dtype=torch.float64)
    values[:rank] = variance * size**2 / rank
    return values.reshape(1, size, size)


def gaussian_frechet(
    mean_1: Float64[Tensor, "..."],
    variance_1: Float64[Tensor, "..."],
    mean_2: Float64[Tensor, "..."],
    variance_2: Float64[Tensor, "..."],
) -> float:
    """Return the squared Frechet (2-Wasserstein) distance of two normals with independent entries, summed over entries.

    Source: Dowson and Landau 1982, for commuting covariances.
    """
    return float(((mean_1 - mean_2) ** 2 + (variance_1.sqrt() - variance_2.sqrt()) ** 2).sum())


def _frequencies(size: int) -> Float64[Tensor, " directions"]:
    one = cast(Tensor, torch.fft.fftfreq(size, 1 / size, dtype=torch.float64))
    return torch.hypot(one[:, None], one[None, :]).flatten().sort().values.clamp(min=1)
