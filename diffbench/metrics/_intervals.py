"""Standard errors of smooth statistics, right also where their first order vanishes, and intervals of shares.

Write a statistic of n images as T(P_n) = T(P) + L + Q: a mean of independent terms L, and a quadratic form Q
in the deviation of P_n from P. The infinitesimal jackknife takes the terms at P_n, not at P, and what it
estimates is var L + 2 var Q: for the model case |mean of x|^2 it gives 4 m'Sm / n + 4 tr S^2 / n^2, where the
truth has 2 tr S^2 / n^2. With var Q known in closed form the excess is taken off; and var Q itself is the
least that is left, the fallback where L vanishes (generated images that are distributed like the reference).
Source: Jaeckel 1972, "The infinitesimal jackknife"; Efron and Stein 1981 for the excess.
"""

import math

import numpy as np
from jaxtyping import Bool, Float

from diffbench.base.records import Estimate

Z = 1.959963984540054
"""97.5 % quantile of the standard normal distribution."""


def mean_variance(influence: Float[np.ndarray, " images"]) -> float:
    """Return the variance of the mean of influence values: the infinitesimal jackknife, with n - 1."""
    return float(influence.var(ddof=1)) / len(influence)


def corrected_variance(first_order: float, second_order: float) -> float:
    """Return the variance of T from the jackknife's (first_order) and var Q (second_order)."""
    return max(first_order - second_order, second_order)


def share(hits: Bool[np.ndarray, " images"]) -> Estimate:
    """Return the share of independent hits with Wilson's interval, which does not collapse at 0 and 1.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    n, p = len(hits), float(np.mean(hits))
    centre = (p + Z**2 / (2 * n)) / (1 + Z**2 / n)
    margin = Z / (1 + Z**2 / n) * math.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2))
    return Estimate(p, min(p, max(0.0, centre - margin)), max(p, min(1.0, centre + margin)))
