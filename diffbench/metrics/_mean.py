"""The estimate of a metric that is a mean over images, which most metrics of your own are."""

import numpy as np
from jaxtyping import Float

from diffbench.base.records import Estimate
from diffbench.metrics._intervals import mean_variance, student


def mean_estimate(values: Float[np.ndarray, " images"]) -> Estimate:
    """Return the mean of one number for each generated image, with Student's 95 % interval.

    The images must be independent of each other, given the reference.
    """
    return student(float(values.mean()), mean_variance(values), values)
