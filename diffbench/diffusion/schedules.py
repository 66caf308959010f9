"""Noise schedules of the training chain, and which of its timesteps a shorter chain keeps.

Ho et al. 2020 (linear), Nichol and Dhariwal 2021 (cosine, eq. 17; respacing, section 4). All tables are float64.
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

    Raises: UserError where a beta would leave (0, 1), as linear's does for T < 21.
    """
    table = SCHEDULES[schedule](timesteps)
    if not (table > 0).all() or not (table < 1).all():
        raise UserError(
            f"schedule {schedule} with {timesteps} timesteps has a beta of {table.max():.3g}; use more timesteps"
        )
    return table


def respaced(timesteps: int, spacing: str) -> list[int]:
    """Return the timesteps (ascending, 0-based) that a shorter chain keeps.

    spacing: "" keeps all; "ddimK" takes the largest-stride arithmetic progression from 0 with exactly K members;
    "a,b,c" divides the chain into equal sections and takes a, b, c evenly spaced steps of each ("25" is one section).

    Raises: UserError where a section is shorter than the steps asked of it, or no stride gives K members.
    Source: Nichol and Dhariwal 2021, section 4, and the released code's rounding (half to even).
    """
    if not spacing:
        return list(range(timesteps))
    if spacing.startswith("ddim"):
        return _strided(timesteps, _count(spacing.removeprefix("ddim"), spacing))
    counts = [_count(part, spacing) for part in spacing.split(",")]
    size, extra = divmod(timesteps, len(counts))
    kept: list[int] = []
    start = 0
    for section, count in enumerate(counts):
        length = size + (section < extra)
        if count > length:
            raise UserError(f"spacing '{spacing}': {count} steps asked of a section of {length} timesteps")
        stride = (length - 1) / (count - 1) if count > 1 else 1.0
        # The fractional position is accumulated, as in the released code: a product rounds differently at halves.
        position = 0.0
        for _ in range(count):
            kept.append(start + round(position))
            position += stride
        start += length
    return kept


def _strided(timesteps: int, count: int) -> list[int]:
    for stride in range(1, timesteps + 1):
        kept = list(range(0, timesteps, stride))
        if len(kept) == count:
            return kept
    raise UserError(
        f"spacing 'ddim{count}': no integer stride through {timesteps} timesteps takes exactly {count} steps"
    )


def _count(text: str, spacing: str) -> int:
    if not text.strip().isdigit() or int(text) < 1:
        raise UserError(f"spacing '{spacing}': '{text}' is not a number of steps; write 25, ddim25 or 10,15,20")
    return int(text)
