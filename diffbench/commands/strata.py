"""The error of a bound by its number of timesteps, computed from a bound with all timesteps.

python -m diffbench.commands.strata results/terms/ddpm/train0/test.npz

The file must hold all terms (`bound: {timesteps: null}`) of, for example, a hundred images. The error that a choice of
one timestep per stratum adds to the mean over images is then computed exactly. It is shown for geometric strata, which
the bound uses, for equal strata, and for the best possible contiguous strata for these terms.
"""

import math
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from diffbench.base.arrays import read_member
from diffbench.base.errors import UserError
from diffbench.diffusion.bound import strata
from diffbench.stages._command import run_stage

COUNTS = (10, 20, 40, 100, 200, 400)

LONGEST = 1000
"""The most timesteps for which the best strata are searched, since time and memory grow with the square."""


def choice_error(vlb: Float[np.ndarray, "images timesteps"], boundaries: Int[np.ndarray, " boundaries"]) -> float:
    """Return the standard error in bits/dim of the mean over images, if one timestep of each stratum is evaluated."""
    width, sums = np.diff(boundaries), np.add.reduceat(vlb, boundaries[:-1], axis=1)
    squares = np.add.reduceat(vlb**2, boundaries[:-1], axis=1)
    # The estimate of a stratum is w times the term of one of its w timesteps, drawn at random. Its variance is w^2
    # times the variance of the terms in the stratum.
    variance = (width * squares - sums**2).clip(min=0)
    return math.sqrt(float(variance.sum())) / len(vlb)


def best_boundaries(vlb: Float[np.ndarray, "images timesteps"], count: int) -> Int[np.ndarray, " boundaries"]:
    """Return the boundaries of the `count` contiguous strata with the least choice error, by dynamic programming."""
    timesteps = vlb.shape[1]
    sums = np.concatenate([np.zeros((len(vlb), 1)), vlb.cumsum(axis=1)], axis=1)
    squares = np.concatenate([[0.0], (vlb**2).sum(axis=0).cumsum()])
    products = sums.T @ sums
    own = np.diag(products)
    place = np.arange(timesteps + 1)
    width = place[None] - place[:, None]
    variance = width * (squares[None] - squares[:, None]) - (own[:, None] + own[None] - 2 * products)
    variance = np.where(width > 0, variance.clip(min=0), np.inf)
    least, came_from = variance[0], []
    for _ in range(count - 1):
        candidates = least[:, None] + variance
        came_from.append(candidates.argmin(axis=0))
        least = candidates.min(axis=0)
    boundaries = [timesteps]
    for table in reversed(came_from):
        boundaries.append(int(table[boundaries[-1]]))
    return np.array([0, *reversed(boundaries)])


def report(path: Path) -> str:
    """Return the errors by number of strata as text. Raises: UserError if the file does not hold all terms."""
    width, vlb, total = (np.asarray(read_member(path, name)) for name in ("width", "vlb", "bits_per_dim"))
    num_images, timesteps = vlb.shape
    if (width > 1).any():
        raise UserError(f"{path}: holds {len(width)} of {int(width.sum())} terms; bound all: {{timesteps: null}}")
    over_images = float(total.std(ddof=1)) / math.sqrt(num_images)
    lines = [
        f"{total.mean():.4f} bits/dim, all {timesteps} timesteps, {num_images} images, error {over_images:.4f}",
        f"{'strata':>8}{'geometric':>12}{'equal':>10}{'best':>10}{'in all':>10}",
    ]
    for count in (count for count in COUNTS if count < timesteps):
        equal = np.unique([0, *np.linspace(1, timesteps, count).round().astype(int)])
        geometric = choice_error(vlb, strata(timesteps, count))
        best = f"{choice_error(vlb, best_boundaries(vlb, count)):.5f}" if timesteps <= LONGEST else "-"
        in_all = math.hypot(over_images, geometric)
        lines.append(f"{count:>8}{geometric:>12.5f}{choice_error(vlb, equal):>10.5f}{best:>10}{in_all:>10.5f}")
    return "\n".join([*lines, "standard errors in bits/dim; in all: of the geometric strata, over images and choice"])


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the report of the given file."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if len(given) != 1:
        raise UserError("give one file of terms of a bound with all timesteps")
    sys.stdout.write(report(Path(given[0])) + "\n")


if __name__ == "__main__":
    run_stage(main)
