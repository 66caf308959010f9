"""The forward process q and its posterior, for any noise levels (alpha, sigma): x_t = alpha x_0 + sigma eps.

Symbols, used throughout: x_0 data, x_t its noisy version, x_T the noisiest, eps standard normal noise, t a 0-based
timestep (code t = paper t - 1), T the length of the training chain, alpha_bar = alpha^2 of a variance-preserving
process, beta and beta_tilde the variances of q(x_t | x_s) and q(x_s | x_t, x_0), mu a posterior mean, v the velocity
alpha eps - sigma x_0, eta DDIM's noise share, y a class label.

For s less noisy than t: alpha_ts = alpha_t / alpha_s and sigma2_ts = sigma_t^2 - alpha_ts^2 sigma_s^2. Everything else
follows, so nothing here assumes alpha^2 + sigma^2 = 1 (Kingma et al. 2021, appendix A).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from diffbench.diffusion.schedules import Table, betas
from diffbench.diffusion.spacings import between, respaced


@dataclass(frozen=True)
class Level:
    """A noise level (alpha, sigma): float64 scalars, or one entry per image."""

    alpha: Float64[Tensor, "*batch"]
    sigma: Float64[Tensor, "*batch"]


def over(value: Float64[Tensor, "*batch"], x: Float[Tensor, "batch ..."]) -> Float[Tensor, "..."]:
    """Return a scalar, or one number per image, with x's type and a shape that multiplies x.

    A scalar stays on the host, since operations on any device take it from there as a number.
    """
    if not value.ndim:
        return value.to(x.dtype)
    # The host does not wait for the copy: x is not needed before the device has done it.
    return value.to(x, non_blocking=True).reshape(-1, *[1] * (x.ndim - 1))


def noised(
    x_0: Float[Tensor, "batch ..."], level: Level, eps: Float[Tensor, "batch ..."]
) -> Float[Tensor, "batch ..."]:
    """Return x_t = alpha x_0 + sigma eps. Source: Ho et al. 2020, eq. 4."""
    return over(level.alpha, x_0) * x_0 + over(level.sigma, x_0) * eps


class Chain:
    """K noise levels, noisiest first, and the clean level (1, 0) as entry K. Step i goes from level i to level i + 1.

    It is built from (timesteps, spacing), or from any two tables of levels. Tables of steps are float64 of length K.
    """

    def __init__(self, alphas: Float[Tensor, " levels"], sigmas: Float[Tensor, " levels"]):
        """alphas, sigmas: those of the K noisy levels. Raises: ValueError if their noise does not descend."""
        noise = sigmas / alphas
        if len(alphas) == 0 or not bool((noise.diff() < 0).all()) or not bool((sigmas > 0).all()):
            raise ValueError("a chain needs levels of strictly descending, positive noise")
        one = torch.ones(1, dtype=torch.float64)
        self.alphas = torch.cat([alphas.double(), one])
        self.sigmas = torch.cat([sigmas.double(), 0 * one])

    @classmethod
    def from_alpha_bars(cls, alpha_bars: Table) -> "Chain":
        """Return the variance-preserving chain of a table of alpha_bar in ascending timesteps."""
        descending = torch.as_tensor(alpha_bars[::-1].astype(np.float64))
        return cls(descending.sqrt(), (1 - descending).sqrt())

    def __len__(self) -> int:
        return len(self.alphas) - 1

    def to(self, device: torch.device | str) -> "Chain":
        """Return the chain with its tables on a device; they are computed here, so that they are the same there."""
        if torch.device(device) == self.alphas.device:
            return self
        moved = Chain.__new__(Chain)
        moved.alphas, moved.sigmas = self.alphas.to(device), self.sigmas.to(device)
        for name in [name for name, value in vars(Chain).items() if isinstance(value, cached_property)]:
            table = getattr(self, name)
            moved.__dict__[name] = table.to(device) if isinstance(table, Tensor) else table
        return moved

    def level(self, i: int | Int[Tensor, " batch"]) -> Level:
        """Return level i (0 is the noisiest, K the clean one); a tensor of indices gives a level per image."""
        return Level(self.alphas[i], self.sigmas[i])

    @cached_property
    def log_noise(self) -> Float64[Tensor, " levels"]:
        """log sigma / alpha of each level, by which the levels of any process are ordered; -inf at the clean one."""
        return (self.sigmas / self.alphas).log()

    @cached_property
    def preserves_variance(self) -> bool:
        """Whether alpha^2 + sigma^2 = 1 at every level."""
        return bool(((self.alphas**2 + self.sigmas**2 - 1).abs() < 1e-9).all())

    def level_at(self, log_noise: Float64[Tensor, "*batch"]) -> Level:
        """Return the level of this chain's process with a given log sigma / alpha, which need not be in the chain.

        A variance-preserving process has alpha^2 + sigma^2 = 1 there too. For any other, log alpha is linear in log
        noise between two levels, and constant beyond the outermost ones.
        """
        if self.preserves_variance:
            # sigmoid keeps digits that 1 / sqrt(1 + exp) would lose at large noise.
            return Level(torch.sigmoid(-2 * log_noise).sqrt(), torch.sigmoid(2 * log_noise).sqrt())
        known, alphas = self.log_noise[:-1].flip(0).numpy(), self.alphas[:-1].log().flip(0).numpy()
        alpha = torch.as_tensor(np.exp(np.interp(log_noise.numpy(), known, alphas)), dtype=torch.float64)
        return Level(alpha, alpha * log_noise.exp())

    @cached_property
    def alpha_ts(self) -> Float64[Tensor, " steps"]:
        """alpha_t / alpha_s of each step."""
        return self.alphas[:-1] / self.alphas[1:]

    @cached_property
    def beta(self) -> Float64[Tensor, " steps"]:
        """Variance of q(x_t | x_s): sigma_t^2 - alpha_ts^2 sigma_s^2."""
        return self.sigmas[:-1] ** 2 - (self.alpha_ts * self.sigmas[1:]) ** 2

    @cached_property
    def beta_tilde(self) -> Float64[Tensor, " steps"]:
        """Variance of q(x_s | x_t, x_0): beta sigma_s^2 / sigma_t^2, 0 at the last step (Ho et al. 2020, eq. 7)."""
        return self.beta * (self.sigmas[1:] / self.sigmas[:-1]) ** 2

    @cached_property
    def log_beta_tilde(self) -> Float64[Tensor, " steps"]:
        """log beta_tilde, whose last entry, log 0, is replaced by the entry before it.

        Both published codes do so; that entry, beta_tilde_2, is Ho et al.'s variance of the decoder. A chain of one
        step has no entry before it, and uses its beta instead.
        """
        if len(self) == 1:
            return self.beta.log()
        return torch.cat([self.beta_tilde[:-1], self.beta_tilde[-2:-1]]).log()

    @cached_property
    def x_0_coefficient(self) -> Float64[Tensor, " steps"]:
        """Weight of x_0 in the mean of q(x_s | x_t, x_0): alpha_s beta / sigma_t^2."""
        return self.alphas[1:] * self.beta / self.sigmas[:-1] ** 2

    @cached_property
    def x_t_coefficient(self) -> Float64[Tensor, " steps"]:
        """Weight of x_t in the mean of q(x_s | x_t, x_0): alpha_ts sigma_s^2 / sigma_t^2."""
        return self.alpha_ts * (self.sigmas[1:] / self.sigmas[:-1]) ** 2

    def posterior_mean(
        self,
        i: int | Int[Tensor, " batch"],
        x_0: Float[Tensor, "batch ..."],
        x_t: Float[Tensor, "batch ..."],
    ) -> Float[Tensor, "batch ..."]:
        """Return the mean of q(x_s | x_t, x_0) at step i. Source: Ho et al. 2020, eq. 7."""
        return over(self.x_0_coefficient[i], x_t) * x_0 + over(self.x_t_coefficient[i], x_t) * x_t

    def log_variance(
        self, i: int | Int[Tensor, " batch"], fraction: Float[Tensor, "batch ..."]
    ) -> Float[Tensor, "batch ..."]:
        """Return fraction log beta + (1 - fraction) log beta_tilde of this chain's step i.

        Source: Nichol and Dhariwal 2021, eq. 15.
        """
        high, low = over(self.beta[i].log(), fraction), over(self.log_beta_tilde[i], fraction)
        return fraction * high + (1 - fraction) * low


def training_chain(schedule: str, timesteps: int) -> Chain:
    """Return the chain of all T levels of a named schedule; step i is timestep T - 1 - i."""
    return Chain.from_alpha_bars(np.cumprod(1 - betas(schedule, timesteps)))


def respaced_chain(schedule: str, timesteps: int, spacing: str) -> Chain:
    """Return the chain that a spacing makes of a training chain: some of its levels, or new levels between its ends.

    Raises: UserError for a bad spacing.
    """
    levels = between(spacing)
    if levels is None:
        return Chain.from_alpha_bars(np.cumprod(1 - betas(schedule, timesteps))[respaced(timesteps, spacing)])
    training = training_chain(schedule, timesteps)
    noise = training.sigmas[:-1] / training.alphas[:-1]
    wanted = torch.as_tensor(levels.noise(float(noise[0]), float(noise[-1]))).log()
    level = training.level_at(wanted)
    return Chain(level.alpha, level.sigma)
