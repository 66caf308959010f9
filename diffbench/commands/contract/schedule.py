"""Checks of a noise schedule: a function from T to its betas, in ascending t."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from diffbench.base.errors import UserError
from diffbench.commands.contract.check import BrokenError, Check, require
from diffbench.diffusion.process import Chain
from diffbench.diffusion.schedules import Schedule

LENGTHS = (100, 1000, 4000)
"""The training chains that are tried; published ones have 1000 or 4000 steps."""

CLEAN, NOISY = 0.95, 0.05
"""At T = 1000, alpha_bar at the first timestep must be above, and at the last one below."""

ALIKE = 0.05
"""How far alpha_bar at the same t / T may differ between two lengths."""


def checks(schedule: Schedule) -> Sequence[Check]:
    """Return the checks of every schedule."""
    return table, twice, ends, lengths, chain


def table(schedule: Schedule) -> None:
    """It returns T betas between 0 and 1 in float64."""
    for timesteps in LENGTHS:
        betas = schedule(timesteps)
        require(isinstance(betas, np.ndarray), f"returns {type(betas).__name__}; return a NumPy array of betas")
        require(
            betas.dtype == np.float64 and betas.shape == (timesteps,),
            f"for T = {timesteps} it returns {betas.dtype}{betas.shape}; return float64 of shape ({timesteps},)",
        )
        wrong = np.flatnonzero(~((betas > 0) & (betas < 1)))
        if len(wrong):
            raise BrokenError(
                f"for T = {timesteps} the beta of t = {wrong[0]} is {betas[wrong[0]]:.3g}; cut it, as cosine does"
            )


def twice(schedule: Schedule) -> None:
    """It returns the same numbers each time."""
    require(np.array_equal(schedule(1000), schedule(1000)), "two calls differ; use no random numbers and keep no state")


def ends(schedule: Schedule) -> None:
    """Its alpha_bar falls from near 1 to near 0."""
    alpha_bars = _alpha_bars(schedule, 1000)
    first, last = alpha_bars[0], alpha_bars[-1]
    require(first > CLEAN, f"alpha_bar is {first:.3f} at t = 0; let the first beta be small (above {CLEAN} is wanted)")
    require(
        last < NOISY,
        f"alpha_bar is {last:.3f} at the last t, so x_T still shows the image; raise the betas (wanted: below {NOISY})",
    )


def lengths(schedule: Schedule) -> None:
    """At the same t / T, alpha_bar is about the same for every T."""
    coarse, fine = (_alpha_bars(schedule, timesteps) for timesteps in (250, 1000))
    off = np.abs(coarse - fine[3::4])
    require(
        off.max() < ALIKE,
        f"T = 250 and T = 1000 differ by {off.max():.2f} in alpha_bar; scale the betas by 1000 / T, as linear does",
    )


def chain(schedule: Schedule) -> None:
    """Its levels are a chain of strictly falling noise, also of 25 of its steps."""
    alpha_bars = _alpha_bars(schedule, 1000)
    for kept in (alpha_bars, alpha_bars[39::40]):
        try:
            Chain.from_alpha_bars(kept)
        except (UserError, ValueError) as error:
            raise BrokenError(f"{error}; each beta must change alpha_bar by more than rounding") from None


def _alpha_bars(schedule: Schedule, timesteps: int) -> Any:
    return np.cumprod(1 - schedule(timesteps))
