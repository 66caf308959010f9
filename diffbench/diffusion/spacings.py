"""Spacings: the noise levels that a shorter chain visits, for any sampler.

Some keep timesteps of the training chain, on which a discrete model was trained: uniform, DDIM's stride, quadratic,
equal sections. Others place levels between the chain's ends by their noise: EDM's power law, and equal steps in log
noise. A spacing is written as a text: "25", "ddim25", "quadratic25", "10,15,20", "karras25", "log_snr25 sigma_max=40".
"""

import math
import re
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from diffbench.base.errors import UserError
from diffbench.base.plugins import nearest

Noise = Float64[np.ndarray, " steps"]

SUBSETS = ("uniform", "ddim", "quadratic")
"""Names of spacings that keep timesteps of the training chain, as a list of sections does."""

LEVELS = ("karras", "log_snr")
"""Names of spacings whose levels need not be in the training chain."""

OPTIONS = ("rho", "sigma_min", "sigma_max")


@dataclass(frozen=True)
class Levels:
    """A grid of `steps` noise levels between two ends: sigma^(1 / rho) falls linearly, or log sigma if rho is None.

    sigma (here sigma / alpha) falls from sigma_max to sigma_min, but not beyond the ends of the training chain. The
    defaults are EDM's. Source: Karras et al. 2022, eq. 5 and table 1.
    """

    steps: int
    rho: float | None = 7.0
    sigma_min: float = 0.002
    sigma_max: float = 80.0

    def __post_init__(self):
        if self.steps < 2:
            raise ValueError("a grid of noise levels has at least 2 steps")
        if self.rho is not None and not 0.1 <= self.rho <= 100:
            raise ValueError(f"rho must be between 0.1 and 100, not {self.rho}")
        if not 0 < self.sigma_min < self.sigma_max < math.inf:
            raise ValueError(f"sigma_min and sigma_max must be positive and ascend: {self.sigma_min}, {self.sigma_max}")

    def noise(self, noisiest: float, cleanest: float) -> Noise:
        """Return the levels in descending order.

        noisiest, cleanest: the ends of the training chain. Raises: UserError if the levels do not fit between them.
        """
        high, low = min(self.sigma_max, noisiest), max(self.sigma_min, cleanest)
        if low >= high:
            raise UserError(
                f"sigma from {self.sigma_max:g} to {self.sigma_min:g}: the model was trained from {noisiest:.3g} to "
                f"{cleanest:.3g}"
            )
        share = np.arange(self.steps, dtype=np.float64) / (self.steps - 1)
        if self.rho is None:
            values = np.exp(np.log(high) + share * (np.log(low) - np.log(high)))
        else:
            first, last = high ** (1 / self.rho), low ** (1 / self.rho)
            values = (first + share * (last - first)) ** self.rho
        # The arithmetic above may change the last bit of the ends, which may have to equal the training chain's.
        values[0], values[-1] = high, low
        if not (np.diff(values) < 0).all():
            raise UserError(f"{self.steps} levels do not fit between sigma {high:g} and {low:g}; take fewer")
        return values


def between(spacing: str) -> Levels | None:
    """Return the grid of noise levels that a spacing names; None if it keeps timesteps of the training chain.

    Raises: UserError for a bad spacing.
    """
    name, *pairs = spacing.split() or [""]
    match = re.fullmatch(rf"({'|'.join(LEVELS)})(\d+)", name)
    if match is None:
        if pairs:
            raise UserError(f"spacing '{spacing}': only {' and '.join(LEVELS)} take options")
        return None
    given: dict[str, float | None] = {"rho": None} if match[1] == "log_snr" else {}
    for pair in pairs:
        key, _, value = pair.partition("=")
        if key in given and (key, match[1]) != ("rho", "log_snr"):
            raise UserError(f"spacing '{spacing}': {key} is given twice")
        if key not in OPTIONS or (key == "rho" and match[1] == "log_snr"):
            allowed = ", ".join(OPTIONS[1:] if match[1] == "log_snr" else OPTIONS)
            raise UserError(f"spacing '{spacing}': unknown option '{key}'; allowed: {allowed}")
        try:
            given[key] = float(value)
        except ValueError:
            raise UserError(f"spacing '{spacing}': {key} is a number, not '{value}'") from None
    try:
        return Levels(int(match[2]), **given)  # type: ignore[arg-type]
    except ValueError as error:
        raise UserError(f"spacing '{spacing}': {error}") from None


def respaced(timesteps: int, spacing: str) -> list[int]:
    """Return the timesteps (ascending, 0-based) that a shorter chain keeps.

    spacing: "" keeps all. "ddimK" takes the arithmetic progression from 0 with exactly K members. "quadraticK" takes K
    steps whose square roots are evenly spaced, and moves apart those that would coincide. "a,b,c" divides the chain
    into equal sections and takes a, b and c evenly spaced steps of them ("25" is one section).

    Raises: UserError if a section is shorter than the number of its steps, or no stride gives K members.
    Source: Nichol and Dhariwal 2021, section 4, with the released code's rounding (half to even). For quadratic: Song
    et al. 2021, "Denoising diffusion implicit models", appendix D.2, here up to the noisiest timestep.
    """
    if not spacing:
        return list(range(timesteps))
    if spacing.startswith("ddim"):
        return _strided(timesteps, _count(spacing.removeprefix("ddim"), spacing))
    if spacing.startswith("quadratic"):
        return _quadratic(timesteps, _count(spacing.removeprefix("quadratic"), spacing))
    counts = [_count(part, spacing) for part in spacing.split(",")]
    size, extra = divmod(timesteps, len(counts))
    kept: list[int] = []
    start = 0
    for section, count in enumerate(counts):
        length = size + (section < extra)
        if count > length:
            raise UserError(f"spacing '{spacing}': {count} steps asked of a section of {length} timesteps")
        stride = (length - 1) / (count - 1) if count > 1 else 1.0
        # The position is accumulated as in the released code, because a product would round differently at halves.
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


def _quadratic(timesteps: int, count: int) -> list[int]:
    if count > timesteps:
        raise UserError(f"spacing 'quadratic{count}': {count} steps asked of {timesteps} timesteps")
    last = math.sqrt(timesteps - 1)
    kept: list[int] = []
    for i in range(count):
        wanted = round((last * i / max(count - 1, 1)) ** 2)
        # Small squares coincide. Each takes the next free timestep, and the last ones leave room for those that follow.
        kept.append(min(max(wanted, kept[-1] + 1 if kept else 0), timesteps - count + i))
    return kept


def _count(text: str, spacing: str) -> int:
    if not text.strip().isdecimal() or int(text) < 1:
        name = re.match(r"[a-z_]*", spacing)
        known = nearest(name[0] if name else "", (*SUBSETS, *LEVELS))
        raise UserError(f"spacing '{spacing}' does not exist; {known}, or sections such as '10,15,20'")
    return int(text)
