"""The difference of two Frechet distances whose images were made in pairs, from the same noise.

Pairs are independent of each other, but the two images of a pair are not. So the difference is a statistic of n pairs,
and the influence of a pair on it is the difference of its images' influences. If two samplers turn the same noise into
nearly the same image, that is far smaller than either influence. The jackknife counts the second order twice, and
nothing is subtracted for it, so intervals are rather too wide than too narrow.
Source: Jaeckel 1972, "The infinitesimal jackknife"; Efron and Stein 1981 for the excess.
"""

import numpy as np
from jaxtyping import Float

from diffbench.base.errors import UserError
from diffbench.base.records import Estimate
from diffbench.metrics._features import FeatureSet, stored_feature
from diffbench.metrics._frechet import measured
from diffbench.metrics._intervals import mean_variance, student
from diffbench.metrics.fid import Fid, reference_normal

Influence = Float[np.ndarray, " images"]


def influence_on_fid(metric: Fid, generated: FeatureSet, reference: FeatureSet) -> Influence:
    """Return every generated image's influence on a Frechet distance. Raises: UserError, as the metric itself."""
    x = stored_feature(generated, metric.features, side="generated")
    return measured(x, reference_normal(reference, metric.features)).influence


def paired_difference(difference: float, a: Influence, b: Influence) -> Estimate:
    """Return the difference of two distances with its interval; a, b: the influences of image k of each set.

    Raises: UserError if the sets are not of equal size.
    """
    if a.shape != b.shape:
        raise UserError(f"sets of {len(a)} and {len(b)} images have no pairs; make them equal")
    return student(difference, mean_variance(a - b), a - b)
