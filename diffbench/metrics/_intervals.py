"""Intervals of smooth statistics (even if their first order vanishes), of neighbour statistics and of shares.

Write a statistic of n images as T(P_n) = T(P) + L + Q: a mean of independent terms L, and a quadratic form Q in the
deviation of P_n from P. The infinitesimal jackknife takes the terms at P_n instead of P, and so it estimates
var L + 2 var Q. For example, for |mean of x|^2 it gives 4 m'Sm / n + 4 tr S^2 / n^2, while the truth has
2 tr S^2 / n^2. If var Q is known in closed form, the excess is subtracted. The result is at least var Q, which is the
right answer if L vanishes (generated images that are distributed like the reference).
Source: Jaeckel 1972, "The infinitesimal jackknife"; Efron and Stein 1981 for the excess.

Shares of what generated images cover depend on the images in all orders. The jackknife is then 1 to 8 times the
variance, and no closed form says how many times. But with half the images the true variance can be measured: two
disjoint halves are independent, and half their squared difference has the variance as its expectation. So the
jackknife of all images is multiplied by the ratio of variance to jackknife among halves, drawn without replacement.

A variance is itself an estimate. If few images carry most of it (heavy tails, rare hits), it is noisy and mostly too
small. So intervals use Student's quantile, with the degrees of freedom that follow from the kurtosis of the influence
values.
Source: Satterthwaite 1946, "An approximate distribution of estimates of variance components".
"""

import hashlib
import math

import numpy as np
from jaxtyping import Bool, Float, Int

from diffbench.base.records import NORMAL_95, Estimate
from diffbench.metrics._features import Features


def student(value: float, variance: float, influence: Float[np.ndarray, " images"]) -> Estimate:
    """Return the value with Student's interval, at the degrees of freedom that these influence values have."""
    margin = _student_quantile(_degrees(influence)) * math.sqrt(variance)
    return Estimate(value, value - margin, value + margin)


def _student_quantile(degrees: float) -> float:
    # Imported only here: it takes longer than most scores, and shares of independent hits do without it.
    from scipy.special import stdtrit

    return float(stdtrit(degrees, 0.975))


def _degrees(influence: Float[np.ndarray, " images"]) -> float:
    """Return 2 / the relative variance of the sample variance, which is (kurtosis - (n - 3) / (n - 1)) / n."""
    n, squares = len(influence), (influence - influence.mean()) ** 2
    spread = float(squares.mean())
    if spread == 0:
        return float(n - 1)
    excess = float((squares**2).mean()) / spread**2 - (n - 3) / (n - 1)
    return min(2 * n / excess, n - 1.0) if excess > 0 else n - 1.0


def mean_variance(influence: Float[np.ndarray, " images"]) -> float:
    """Return the variance of the mean of influence values: the infinitesimal jackknife, with n - 1."""
    return float(influence.var(ddof=1)) / len(influence)


def corrected_variance(first_order: float, second_order: float) -> float:
    """Return the variance of T from the jackknife's (first_order) and var Q (second_order)."""
    return max(first_order - second_order, second_order)


SPLITS = 8
"""The number of pairs of halves. Each pair is a degree of freedom of the ratio."""


def canonical_order(x: Features) -> Int[np.ndarray, " images"]:
    """Return the images in the order of a digest of their features. A draw must not depend on the file's order."""
    digests = [hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in x]
    return np.array(sorted(range(len(x)), key=digests.__getitem__))


def all_and_halves(x: Features) -> Bool[np.ndarray, "subsets images"]:
    """Return which images each subset holds: first all, then pairs of disjoint halves that a fixed generator draws."""
    n, canonical = len(x), canonical_order(x)
    draws = np.random.Generator(np.random.PCG64(0))
    subsets = np.zeros((1 + 2 * SPLITS, n), bool)
    subsets[0] = True
    for pair in range(SPLITS):
        order = canonical[draws.permutation(n)]
        subsets[1 + 2 * pair, order[: n // 2]] = True
        subsets[2 + 2 * pair, order[n // 2 : 2 * (n // 2)]] = True
    return subsets


def share_of_covered(
    total: int,
    covered: Int[np.ndarray, " subsets"],
    changes: Int[np.ndarray, "subsets images"],
    subsets: Bool[np.ndarray, "subsets images"],
) -> Estimate:
    """Return the share of `total` things that all images cover, with the interval of its calibrated jackknife.

    covered: how many each subset of `all_and_halves` covers. changes: by how much that changes without each image.
    The interval is Wilson's, with Student's quantile, for as many independent trials as have this variance. If no
    single image changes anything, it is Wilson's for as many trials as the smaller set has.
    """
    jackknives = np.array([(own.sum() - 1) * change[own].var() for own, change in zip(subsets, changes, strict=True)])
    halves = covered[1:].reshape(-1, 2)
    seen, expected = ((halves[:, 0] - halves[:, 1]) ** 2).sum() / 2, jackknives[1:].sum() / 2
    variance = jackknives[0] * (seen / expected if seen and expected else 1.0) / total**2
    p, kept = covered[0] / total, (covered[0] + 0.5) / (total + 1)
    if variance == 0:
        return _wilson(p, min(total, subsets.shape[1]), NORMAL_95)
    degrees = 1 / (1 / SPLITS + 1 / _degrees(changes[0]))
    return _wilson(p, kept * (1 - kept) / variance, _student_quantile(degrees))


def share(hits: Bool[np.ndarray, " images"]) -> Estimate:
    """Return the share of independent hits with Wilson's interval, which does not collapse at 0 and 1.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    return _wilson(float(np.mean(hits)), len(hits), NORMAL_95)


def _wilson(p: float, trials: float, z: float) -> Estimate:
    centre = (p + z**2 / (2 * trials)) / (1 + z**2 / trials)
    margin = z / (1 + z**2 / trials) * math.sqrt(p * (1 - p) / trials + z**2 / (4 * trials**2))
    return Estimate(p, min(p, max(0.0, centre - margin)), max(p, min(1.0, centre + margin)))
