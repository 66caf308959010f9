"""The timestep that a network is given at a noise level: exact on its training chain, by a rule between its levels."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from diffbench.base.errors import UserError
from diffbench.diffusion.off_grid import OffGrid
from diffbench.diffusion.process import Chain, Level

SAME = 1e-9
"""Levels that are nearer than this in log noise count as the same level."""


class OffGridError(UserError):
    """A discrete model was asked about a level on which it was not trained."""


@dataclass(frozen=True)
class TrainedLevels:
    """The noise levels of a training chain and the t that the network is given at each of them, the noisiest first.

    off_grid: "nearest" takes the t of the nearest level in log noise, "interpolate" a fractional t, linear in log noise
    between two neighbours. Both are k-diffusion's rules (sigma_to_t, with and without quantize). With both, the
    coefficients of the prediction are those of the true level. Beyond the chain's ends both refuse, while k-diffusion
    clamps. Other codes have other rules: DPM-Solver's t is linear in log alpha; EDM moves the level itself to the
    model's nearest one.
    """

    chain: Chain
    network_t: Float[Tensor, " steps"]
    off_grid: OffGrid = "refuse"
    _log_noise: Float64[Tensor, " steps"] = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        # searchsorted needs ascending values, so the cleanest level is first.
        object.__setattr__(self, "_log_noise", self.chain.log_noise[:-1].flip(0))

    def at(self, level: Level, who: str = "the model") -> tuple[Int[Tensor, "*batch"], Float[Tensor, "*batch"], bool]:
        """Return the nearest step of the chain (0 is the noisiest), the network's t, and whether it is exact for all.

        Raises: OffGridError for a level between those of the chain if there is no rule, and for one beyond its ends.
        """
        i, exact, wanted = self._nearest(level)
        if exact:
            return i, self.network_t[i], True
        if self.off_grid == "refuse":
            raise OffGridError(
                f"{who} was trained at {len(self.chain)} noise levels and was asked about another one; use levels of "
                "its own chain, or set a rule for the timesteps of others: off_grid: interpolate or nearest"
            )
        low, high = self._log_noise[0], self._log_noise[-1]
        if bool((wanted < low - SAME).any()) or bool((wanted > high + SAME).any()):
            raise OffGridError(
                f"{who} was trained at sigma / alpha from {low.exp():.3g} to {high.exp():.3g} and was asked about "
                f"{wanted.exp().min():.3g} to {wanted.exp().max():.3g}; stay within"
            )
        return i, self.network_t[i] if self.off_grid == "nearest" else self._interpolated(wanted), False

    def _nearest(self, level: Level) -> tuple[Int[Tensor, "*batch"], bool, Float64[Tensor, "*batch"]]:
        wanted = (level.sigma / level.alpha).log().cpu()
        right = torch.searchsorted(self._log_noise, wanted).clamp(1, len(self._log_noise) - 1)
        lower, upper = self._log_noise[right - 1], self._log_noise[right]
        ascending = torch.where(wanted - lower < upper - wanted, right - 1, right)
        exact = bool(((self._log_noise[ascending] - wanted).abs() < SAME).all())
        return len(self._log_noise) - 1 - ascending, exact, wanted

    def _interpolated(self, wanted: Float64[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        right = torch.searchsorted(self._log_noise, wanted).clamp(1, len(self._log_noise) - 1)
        lower, upper = self._log_noise[right - 1], self._log_noise[right]
        share = ((wanted - lower) / (upper - lower)).clamp(0, 1).to(self.network_t)
        t = self.network_t.flip(0)
        return t[right - 1] + share * (t[right] - t[right - 1])
