"""Noise schedules of the training chain: functions from T to its betas, in ascending t.

Ho et al. 2020 (linear), Nichol and Dhariwal 2021 (cosine, eq. 17). All tables are float64. A schedule of your own is
named by its dotted path, such as `my_module.my_schedule`.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float64

from diffbench.base.errors import UserError
from diffbench.base.plugins import function_at, nearest

Table = Float64[np.ndarray, " timesteps"]


def linear(timesteps: int) -> Table:
    """Return betas rising linearly from 1e-4 to 0.02 at T = 1000, scaled by 1000 / T for other lengths.

    Source: Ho et al. 2020, section 4; the scaling is Nichol and Dhariwal's code.
    """
    scale = 1000 / timesteps
    return np.linspace(scale * 1e-4, scale * 0.02, timesteps, dtype=np.float64)


def cosine(timesteps: int) -> Table:
    """Return betas for alpha_bar(t) = f(t) / f(0), f(t) = cos^2((t/T + s) / (1 + s) pi/2), s = 0.008, cut at 0.999.

    Source: Nichol and Dhariwal 2021, eq. 17.
    """

    def alpha_bar(u: float) -> float:
        return math.cos((u + 0.008) / 1.008 * math.pi / 2) ** 2

    edges = [alpha_bar(t / timesteps) for t in range(timesteps + 1)]
    return np.array([min(1 - edges[t + 1] / edges[t], 0.999) for t in range(timesteps)])


Schedule = Callable[[int], Table]

SCHEDULES: dict[str, Schedule] = {"linear": linear, "cosine": cosine}


def schedule_of(name: str) -> Schedule:
    """Return the schedule of a name or of a dotted path. Raises: UserError if there is none."""
    if name in SCHEDULES:
        return SCHEDULES[name]
    if "." not in name:
        allowed = f"{nearest(name, SCHEDULES)}, or the dotted path of your own function"
        raise UserError(f"schedule '{name}' is not allowed; {allowed}")
    return function_at(name, "schedule")


def betas(schedule: str, timesteps: int) -> Table:
    """Return the betas of a schedule, given by its name or its dotted path.

    Raises: UserError if it does not return a number in (0, 1) for each timestep, as linear does not for T < 21.
    """
    function = schedule_of(schedule)
    table = function(timesteps) if schedule in SCHEDULES else _own(schedule, function, timesteps)
    if not (table > 0).all() or not (table < 1).all():
        raise UserError(
            f"schedule {schedule} with {timesteps} timesteps has a beta of {_outside(table):.3g}; use more timesteps"
            + ("" if schedule in SCHEDULES else ", or let it return betas between 0 and 1")
        )
    return table


def _own(name: str, function: Callable[[int], Any], timesteps: int) -> Table:
    """Return what a user's function returns, as a table. Raises: UserError if it fails, or it is no table."""
    try:
        table = np.asarray(function(timesteps), np.float64)
    except Exception as error:
        raise UserError(f"schedule {name}: {type(error).__name__}: {error}") from error
    if table.shape != (timesteps,):
        raise UserError(
            f"schedule {name}: returned an array of shape {table.shape}, not one beta for each of {timesteps} timesteps"
        )
    return table


def _outside(table: Table) -> float:
    """Return the beta that a message names: the largest, unless that one is allowed."""
    return float(table.max()) if not table.max() < 1 else float(table.min())
