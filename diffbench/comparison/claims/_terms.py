"""What claims measure on the terms of a bound: shares of the codelength, and the variance of an estimate of it.

The terms of an image are one of each stratum of timesteps. A term counts with the width of its stratum, so that sums
over an image's terms are unbiased for sums over all timesteps.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from diffbench.base.records import Estimate
from diffbench.comparison.claims._contrasts import mean_over_images, ratio_of_sums
from diffbench.comparison.claims._evidence import Scored
from diffbench.metrics._intervals import mean_variance, student


@dataclass(frozen=True)
class Terms:
    """The terms of a bound on test images. bits: each with the width of its stratum; T: the steps of the chain."""

    t: Int[np.ndarray, "images strata"]
    bits: Float[np.ndarray, "images strata"]
    width: Int[np.ndarray, " strata"]
    prior: Float[np.ndarray, " images"]
    T: int

    @property
    def total(self) -> Float[np.ndarray, " images"]:
        """The codelength of each image without L_T."""
        return self.bits.sum(axis=1)

    def among(self, chosen: np.ndarray) -> Float[np.ndarray, " images"]:
        """Return the sum of those terms of each image that are chosen."""
        return (self.bits * chosen).sum(axis=1)


def terms_of(item: Scored) -> Terms | None:
    """Return the terms from which the scores of a model were made; None if they are not there."""
    found = item.arrays("terms_test", "timesteps", "vlb", "width", "prior")
    if found is None:
        return None
    t, vlb, width, prior = found
    return Terms(t, vlb * width, width, prior, int(width.sum()))


def share_of_first(item: Scored) -> Estimate | None:
    """Return L_0 / (L_0 + ... + L_{T-1}), the share of the distortion in the lossless codelength."""
    terms = terms_of(item)
    return None if terms is None else ratio_of_sums(terms.among(terms.t == 0), terms.total)


def share_of_late(item: Scored, part: float = 0.1) -> Estimate | None:
    """Return the share of the terms with t <= part T, with little noise, in the bound without L_T."""
    terms = terms_of(item)
    return None if terms is None else ratio_of_sums(terms.among(terms.t <= part * terms.T), terms.total)


def rate_share(item: Scored, part: float = 0.1) -> Estimate | None:
    """Return the rate to reach x_t at t = part T, divided by the whole rate L_T + ... + L_1."""
    terms = terms_of(item)
    if terms is None:
        return None
    early, all_of_it = (terms.prior + terms.among(terms.t > last) for last in (part * terms.T, 0))
    return ratio_of_sums(early, all_of_it)


def steps_of_distortion(item: Scored) -> list[Estimate] | None:
    """Return the rise of the squared error of x_0 from each point of the distortion's curve to the next higher t."""
    found = item.arrays("terms_test", "curve_x_0_mse")
    return None if found is None else [mean_over_images(step) for step in np.diff(found[0], axis=1).T]


def variance_ratio(item: Scored) -> Estimate | None:
    """Return the variance of the bound's estimate from one timestep, importance-sampled, over that of a uniform one.

    Importance sampling draws a stratum with probability proportional to width sqrt(E L_t^2), and t in it uniformly.
    The interval is of the jackknife over images. Source: Nichol and Dhariwal 2021, eq. 18.
    """
    terms = terms_of(item)
    if terms is None or len(terms.total) < 3:
        return None
    n, loss = len(terms.bits), terms.bits / terms.width

    def ratio(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Return the ratio from means over images of L_t and of L_t^2, each with the strata along the last axis."""
        mean = (terms.width * first).sum(-1)
        uniform = terms.T * (terms.width * second).sum(-1) - mean**2
        return ((terms.width * np.sqrt(second)).sum(-1) ** 2 - mean**2) / uniform

    value = float(ratio(loss.mean(0), (loss**2).mean(0)))
    left_out = ratio((loss.sum(0) - loss) / (n - 1), ((loss**2).sum(0) - loss**2) / (n - 1))
    influence = (n - 1) * (left_out.mean() - left_out)
    return student(value, mean_variance(influence), influence)
