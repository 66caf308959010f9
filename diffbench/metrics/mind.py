"""MIND: the Monge Inception Distance, a sliced 2-Wasserstein distance between generated and reference features.

3 d x mean over directions u of W_2^2(u'x, u'y), with d the width of the features. In one dimension, W_2^2 is the mean
squared difference of the two quantile functions, so sorting computes it. The directions are uniform on the sphere.
By default all images of both sets count, also if one set is larger: the quantile functions are integrated exactly.
Range: 0 and up, in FID's unit: it is 3 x FID for two normal distributions that differ only in their means. It is biased
upward by about a / n + b / m for n generated and m reference images, so numbers compare only for equal n and m.

With equal numbers of images this is torch-fidelity's number, apart from the rounding of its float32: the directions are
the same ones, since torch's generator is followed here without torch. If the numbers differ, torch-fidelity draws from
the larger set as many images as the smaller one has. `draw_equal` does that too, with the same draw.
Source: Berthet et al. 2026, "MIND: Monge Inception Distance for generative models evaluation" (arXiv 2605.06797);
torch-fidelity after 0.4.0 (commit 5e211a9), with its defaults: 1,000 directions, seed 2020.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from jaxtyping import Float, Int

from diffbench.base.errors import UserError
from diffbench.base.records import Estimate
from diffbench.metrics._features import Features, FeatureSet, References, feature_pair
from diffbench.metrics._intervals import mean_variance, student
from diffbench.metrics._torch_draws import TorchDraws

BLOCK_ENTRIES = 2**21
"""How many projections are held at a time (16 MiB each for both sets)."""


@dataclass(frozen=True)
class Mind:
    """The sliced distance on one array of features.

    projections: how many directions. seed: of the directions, and of the draw of `draw_equal`. draw_equal: whether as
    many images are drawn from the larger set as the smaller one has; otherwise all count.
    """

    features: str = "pool"
    """the array of features that it takes."""
    projections: int = 1000
    seed: int = 2020
    draw_equal: bool = False

    label: ClassVar[str] = "MIND"
    higher_is_better: ClassVar[bool] = False
    consumes: ClassVar[str] = "features"

    def __post_init__(self) -> None:
        if self.projections < 16:
            raise UserError(f"projections = {self.projections}, at least 16 are allowed")
        if not 0 <= self.seed < 2**32:
            raise UserError(f"seed = {self.seed}, 0 to 2^32 - 1 is allowed")

    def __call__(self, generated: FeatureSet, reference: FeatureSet) -> Estimate:
        """Return MIND with the interval of its influence function over the generated images."""
        x, y = feature_pair(generated, reference, self.features)
        draws = TorchDraws(self.seed)
        if self.draw_equal:
            n = min(len(x), len(y))
            x, y = (side if len(side) == n else side[draws.permutation(len(side))[:n]] for side in (x, y))
        directions = draws.normals(self.projections * x.shape[1]).reshape(self.projections, -1)
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        value, influence = _sliced(x, y, directions)
        found = student(value, mean_variance(influence), influence)
        return replace(found, low=max(0.0, found.low))


def mind(generated: Features, reference: References) -> float:
    """Return the sliced distance between the features of two image sets, along torch-fidelity's 1,000 directions.

    Raises: UserError for fewer than two images, unequal widths or values that are not finite.
    """
    return Mind()({"pool": generated}, {"pool": reference}).value


def _sliced(
    x: Features, y: References, directions: Float[np.ndarray, "projections features"]
) -> tuple[float, Float[np.ndarray, " images"]]:
    """Return 3 d x the mean of W_2^2 over the directions, and each generated image's influence on it.

    The influence of a mass is the potential of Kantorovich's dual. Between two neighbouring generated points it grows
    by the integral of 2 (t - q), where q is the reference's quantile at which the transport's target jumps.
    """
    n, m = len(x), len(y)
    levels = _Levels.of(n, m)
    # A common offset of both sets changes nothing, but it would cost digits.
    origin = y.mean(axis=0)
    x, y = x - origin, y - origin
    total, influence = 0.0, np.zeros(n)
    for part in _blocks(directions, max(n, m)):
        own, other = part @ x.T, np.sort(part @ y.T, axis=1)
        order = np.argsort(own, axis=1)
        own = np.take_along_axis(own, order, axis=1)
        total += float(((own[:, levels.own] - other[:, levels.other]) ** 2 @ levels.width).sum())
        jumps = other[:, levels.below] + other[:, levels.above]
        growth = np.diff(own, axis=1) * (own[:, 1:] + own[:, :-1] - jumps)
        potential = np.zeros_like(own)
        np.cumsum(growth, axis=1, out=potential[:, 1:])
        potential -= potential.mean(axis=1, keepdims=True)
        back = np.empty_like(potential)
        np.put_along_axis(back, order, potential, axis=1)
        influence += back.sum(axis=0)
    scale = 3 * x.shape[1] / len(directions)
    return scale * total, scale * influence


def _blocks(directions: np.ndarray, images: int) -> Iterator[np.ndarray]:
    size = max(1, BLOCK_ENTRIES // images)
    for start in range(0, len(directions), size):
        yield directions[start : start + size]


@dataclass(frozen=True)
class _Levels:
    """Where the quantile functions of n and of m points are constant together, in exact arithmetic.

    own, other: for each interval of levels, the places of the two sorted points. width: its length. below, above: the
    places of the reference's points on both sides of level k / n, for k = 1 .. n - 1.
    """

    own: Int[np.ndarray, " intervals"]
    other: Int[np.ndarray, " intervals"]
    width: Float[np.ndarray, " intervals"]
    below: Int[np.ndarray, " inner"]
    above: Int[np.ndarray, " inner"]

    @classmethod
    def of(cls, n: int, m: int) -> "_Levels":
        ends = np.union1d(np.arange(1, n + 1) * m, np.arange(1, m + 1) * n)
        inner = np.arange(1, n) * m
        width = np.diff(ends, prepend=0) / (n * m)
        return cls((ends - 1) // m, (ends - 1) // n, width, (inner - 1) // n, inner // n)
