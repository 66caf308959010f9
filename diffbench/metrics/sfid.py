"""sFID: the Frechet distance on a spatial layer of Inception, while FID uses an average over all positions.

The features are the first 7 channels of the 1x1 branch of Mixed_6d at 17 x 17 positions, flattened channels last:
2,023 values that are sensitive to where things are. Range: 0 and up; 0 for equal mean and covariance. Like FID it is
biased upward by about b / n, and comparable only at equal n.
Source: Nash et al. 2021, "Generating images with sparse representations", section 4; as in Dhariwal and Nichol's
evaluator, `mixed_6/conv:0`. A port that flattened channels first scored 299 for what the evaluator calls 6.14.
"""

from dataclasses import dataclass
from typing import ClassVar

from diffbench.metrics.fid import Fid


@dataclass(frozen=True)
class Sfid(Fid):
    """The Frechet distance on spatial features. The reference may be `mu_s` and `sigma_s`, as ADM publishes it."""

    features: str = "spatial"
    """the array of features that it takes."""

    label: ClassVar[str] = "sFID"
