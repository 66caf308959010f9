"""Bits per dimension: the variational bound on a codelength, and how it divides into rate and distortion.

Ho et al. 2020, eq. 5 and section 4.3.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from diffbench.base.errors import UserError
from diffbench.base.records import Estimate


@dataclass(frozen=True)
class BitsPerDim:
    """The bound's total in bits per dimension; lower is better. Its spread is that over images."""

    higher_is_better: ClassVar[bool] = False
    consumes: ClassVar[str] = "terms"
    label: ClassVar[str] = "NLL (bits/dim)"

    def __call__(self, terms: Mapping[str, np.ndarray]) -> Estimate:
        """Return the mean over images with 1.96 standard errors."""
        return mean_of(terms["bits_per_dim"])


def mean_of(values: np.ndarray) -> Estimate:
    """Return the mean of independent values with the interval of its standard error.

    Raises: UserError for fewer than two values, or if one is not finite.
    """
    values = np.asarray(values, np.float64)
    if len(values) < 2 or not np.isfinite(values).all():
        raise UserError("the bound's terms must be finite, and of at least two images")
    return Estimate.normal(float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))))


def subset_error(terms: Mapping[str, np.ndarray]) -> float | None:
    """Return the part of the standard error of the mean over images, in bits/dim, that the choice of timesteps causes.

    It is the error between the bound from a few timesteps and the bound from all, on the same images and noise. It is 0
    if all timesteps are taken, and None if there are too few to tell. With one timestep a stratum there is no spread
    within a stratum, so neighbouring strata are paired. Over images, the difference of their totals varies by both
    choices, and also because images differ in that difference; this makes the error a little too large.
    Source: the method of collapsed strata, Cochran 1977, "Sampling techniques", section 5A.12.
    """
    width = np.asarray(terms["width"])
    totals = (np.asarray(terms["vlb"], np.float64) * width)[:, width > 1]
    num_images, count = totals.shape
    if count == 0:
        return 0.0
    if count == 1 or num_images < 2:
        return None
    # Pairs; if one is left over, the last group has three.
    groups = np.array_split(np.arange(count), count // 2)
    variance = 0.0
    for group in groups:
        members = totals[:, group]
        within = members - members.mean(axis=1, keepdims=True)
        variance += float(within.var(axis=0, ddof=1).sum()) * len(group) / (len(group) - 1)
    return float(np.sqrt(variance / num_images))


def rate_and_distortion(terms: Mapping[str, np.ndarray]) -> dict[str, Estimate]:
    """Return the parts of the bound: rate (all except L_0), distortion (L_0, the decoder's term), its RMSE, and L_T.

    All are in bits per dimension except the RMSE. That is the error of the x_0 predicted at the last step, on the 0-255
    scale. L_T is part of the rate. Source: Ho et al. 2020, section 4.3, which finds 1.78, 1.97 and 0.95 on CIFAR-10.
    """
    decoder = np.asarray(terms["vlb"])[:, 0]
    error = mean_of(np.asarray(terms["x_0_mse"])[:, 0])
    root = 127.5 * np.sqrt([max(error.value, 0), max(error.low, 0), max(error.high, 0)])
    return {
        "rate_bits_per_dim": mean_of(np.asarray(terms["bits_per_dim"]) - decoder),
        "distortion_bits_per_dim": mean_of(decoder),
        "distortion_rmse": Estimate(*root.tolist()),
        "prior_bits_per_dim": mean_of(terms["prior"]),
    }


def gap(test: Estimate, train: Estimate) -> Estimate:
    """Return how many more bits per dimension unseen images cost than training images. A positive gap is overfitting.

    The splits share no image, so the squares of their errors add up.
    Source: Ho et al. 2020, section 4.3, which finds at most 0.03 on CIFAR-10.
    """
    margin = float(np.hypot(test.high - test.value, train.high - train.value))
    value = test.value - train.value
    return Estimate(value, value - margin, value + margin)
