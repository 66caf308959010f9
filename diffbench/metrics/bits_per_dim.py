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
    """The bound's total in bits per dimension, lower is better; its spread is that over images."""

    higher_is_better: ClassVar[bool] = False
    consumes: ClassVar[str] = "terms"
    label: ClassVar[str] = "NLL (bits/dim)"

    def __call__(self, terms: Mapping[str, np.ndarray]) -> Estimate:
        """Return the mean over images with 1.96 standard errors."""
        return mean_of(terms["bits_per_dim"])


def mean_of(values: np.ndarray) -> Estimate:
    """Return the mean of independent values with the interval of its standard error.

    Raises: UserError for fewer than two values, or any that is not finite.
    """
    values = np.asarray(values, np.float64)
    if len(values) < 2 or not np.isfinite(values).all():
        raise UserError("the bound's terms must be finite, and of at least two images")
    return Estimate.normal(float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))))


def rate_and_distortion(terms: Mapping[str, np.ndarray]) -> dict[str, Estimate]:
    """Return the parts of the bound: rate (all but the decoder's term), distortion (the decoder's term) and its RMSE.

    Rate and distortion are in bits per dimension; the RMSE is that of the x_0 predicted at the last step, on the 0-255
    scale. Source: Ho et al. 2020, section 4.3, which finds 1.78, 1.97 and 0.95 on CIFAR-10.
    """
    decoder = np.asarray(terms["vlb"])[:, 0]
    error = mean_of(np.asarray(terms["x_0_mse"])[:, 0])
    root = 127.5 * np.sqrt([max(error.value, 0), max(error.low, 0), max(error.high, 0)])
    return {
        "rate_bits_per_dim": mean_of(np.asarray(terms["bits_per_dim"]) - decoder),
        "distortion_bits_per_dim": mean_of(decoder),
        "distortion_rmse": Estimate(*root.tolist()),
    }
