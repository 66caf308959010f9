"""KID: squared maximum mean discrepancy, with the kernel (x'y / d + 1)^3, between generated and reference features.

mean of k over pairs of generated images + the same of reference images - 2 x mean of k over mixed pairs. Pairs of
an image with itself are left out, so that it is unbiased and may be slightly negative. By default all images count,
in float64: nothing is drawn, and there is one number. With `subsets`, it is the mean over random subsets of both
sets, which are drawn and computed as torch-fidelity does (RandomState(2020)).
Source: Binkowski et al. 2018, "Demystifying MMD GANs", section 4; Gretton et al. 2012, eq. 3.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from diffbench.base.errors import UserError
from diffbench.base.records import Estimate
from diffbench.metrics._features import Features, FeatureSet, References, feature_pair
from diffbench.metrics._intervals import corrected_variance, mean_variance, student

BLOCK = 1024
"""The most rows of the kernel matrix that are held at a time."""

BLOCK_ENTRIES = 2**24
"""The most entries of the kernel matrix that are held at a time (128 MiB)."""

SUBSET_SIZE = 1000
SUBSET_SEED = 2020
"""torch-fidelity's defaults."""


@dataclass(frozen=True)
class Kid:
    """The kernel distance on one array of features; subsets = 0 takes the full sets."""

    features: str = "pool"
    """the array of features that it takes."""
    subsets: int = 0
    """the number of random subsets; 0 takes the full sets."""
    subset_size: int = SUBSET_SIZE
    """the images of a subset."""

    label: ClassVar[str] = "KID"
    higher_is_better: ClassVar[bool] = False
    consumes: ClassVar[str] = "features"

    def __post_init__(self) -> None:
        if self.subsets < 0 or self.subset_size < 2:
            raise UserError(f"subsets = {self.subsets}, subset_size = {self.subset_size}: wanted at least 0 and 2")
        if not self.subsets and self.subset_size != SUBSET_SIZE:
            raise UserError(f"subset_size = {self.subset_size} has no effect with subsets = 0; set subsets too")

    @property
    def fewest(self) -> int:
        """How many images it needs."""
        return max(3, self.subset_size) if self.subsets else 3

    def __call__(self, generated: FeatureSet, reference: FeatureSet) -> Estimate:
        """Return KID with the interval of its jackknife over the generated images."""
        x, y = feature_pair(generated, reference, self.features, at_least=3)
        value, variance, influence = _full(x, y)
        if self.subsets:
            values = _subset_values(x, y, self.subsets, self.subset_size)
            value = float(values.mean())
            # The protocol fixes the draw of the subsets, but it is still noise around the value of the full sets.
            variance += float(values.var()) / self.subsets
        return student(value, variance, influence)


def kid(generated: Features, reference: References) -> float:
    """Return the unbiased kernel distance between the features of two image sets.

    Raises: UserError for fewer than three images, unequal widths or values that are not finite.
    """
    return Kid()({"pool": generated}, {"pool": reference}).value


def _kernel(x: Features, y: References) -> Float[np.ndarray, "rows columns"]:
    base = x @ y.T
    base /= x.shape[1]
    base += 1
    cube = base * base  # with ** 3 numpy would take a general power, at ten times the cost
    cube *= base
    return cube


def _blocks(x: Features, columns: int) -> Iterator[tuple[int, Features]]:
    size = max(1, min(BLOCK, BLOCK_ENTRIES // columns))
    for start in range(0, len(x), size):
        yield start, x[start : start + size]


def _own_sums(x: Features) -> tuple[Float[np.ndarray, " images"], float]:
    """Return each row's sum of the kernel over other images, and the sum of squares over all pairs.

    The kernel is symmetric, so a block of rows is taken only with itself and with what comes after it.
    """
    sums, squares = np.zeros(len(x)), 0.0
    for start, rows in _blocks(x, len(x)):
        end = start + len(rows)
        kernel = _kernel(rows, x[start:])
        np.fill_diagonal(kernel, 0)
        sums[start:end] += kernel.sum(axis=1)
        sums[end:] += kernel[:, len(rows) :].sum(axis=0)
        among = kernel[:, : len(rows)]
        squares += 2 * float(np.vdot(kernel, kernel)) - float((among**2).sum())
    return sums, squares


def _full(x: Features, y: References) -> tuple[float, float, Float[np.ndarray, " images"]]:
    """Return the unbiased estimate from all images, its variance over the generated ones, and their influence.

    Leaving out image i changes its two row sums linearly, so the jackknife needs no second pass. The degenerate part
    of the pairs' term has variance 2 E h^2 / (m (m - 1)), with h the doubly centred kernel (Hoeffding 1948).
    """
    m, n = len(x), len(y)
    own, squares = _own_sums(x)
    mixed = np.concatenate([_kernel(rows, y).sum(axis=1) for _, rows in _blocks(x, n)]) / n
    reference, _ = _own_sums(y)
    pairs = own.sum() / (m * (m - 1))
    value = pairs + reference.sum() / (n * (n - 1)) - 2 * mixed.mean()
    influence = 2 * (own / (m - 2) - mixed)
    centred = squares / (m * (m - 1)) - 2 * np.mean((own / (m - 1)) ** 2) + pairs**2
    variance = corrected_variance(mean_variance(influence), 2 * max(centred, 0.0) / (m * (m - 1)))
    return float(value), variance, influence


def _subset_values(x: Features, y: References, subsets: int, size: int) -> Float[np.ndarray, " subsets"]:
    if size > min(len(x), len(y)):
        raise UserError(f"subset_size = {size}, but of {len(x)} generated, {len(y)} reference images; lower it")
    draws = np.random.RandomState(SUBSET_SEED)
    values = np.empty(subsets)
    for i in range(subsets):
        a = x[draws.choice(len(x), size, replace=False)]
        b = y[draws.choice(len(y), size, replace=False)]
        pairs = (_own_sums(a)[0].sum() + _own_sums(b)[0].sum()) / (size * (size - 1))
        values[i] = pairs - 2 * _kernel(a, b).mean()
    return values
