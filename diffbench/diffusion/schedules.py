"""Noise schedules of the training chain.

Ho et al. 2020 (linear), Nichol and Dhariwal 2021 (cosine, eq. 17). All tables are float64.
"""

import math

import numpy as np
from jaxtyping import Float64

from diffbench.base.errors import UserError

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


SCHEDULES = {"linear": linear, "cosine": cosine}


def betas(schedule: str, timesteps: int) -> Table:
    """Return the betas of a named schedule.

    Raises: UserError if a beta would leave (0, 1), as linear's does for T < 21.
    """
    table = SCHEDULES[schedule](timesteps)
    if not (table > 0).all() or not (table < 1).all():
        raise UserError(
            f"schedule {schedule} with {timesteps} timesteps has a beta of {table.max():.3g}; use more timesteps"
        )
    return table
