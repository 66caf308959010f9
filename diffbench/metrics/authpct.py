"""AuthPct: the percentage of generated images that are authentic, which means: no closer to a training image than
training images are to each other.

Take the training image that is nearest to a generated image. The generated image is authentic if it is farther away
than the nearest other training image is (strictly: a copy never is authentic). The reference must be the training
split.
Range: 0 to 100. Higher is better in one sense only: images off the data, such as noise, are all authentic. So it says
something beside a distance such as FID, and compared with that of held-out real images, the value of a model that
neither copies nor misses the data. Copies lower it by their share of the images, and by no more.
A training image that is there twice is at distance 0 from another one, so only an exact copy of it is found.
Distances are compared in float64, ties included.
Source: Alaa et al. 2022, "How faithful is your synthetic data? Sample-level metrics for evaluating and auditing
generative models", section 4.3; Stein et al. 2023 report it as AuthPct.
"""

from dataclasses import dataclass
from typing import ClassVar

from diffbench.base.records import Estimate
from diffbench.metrics._features import Features, FeatureSet, References, feature_pair
from diffbench.metrics._intervals import share
from diffbench.metrics._nearest_training import nearest_training


@dataclass(frozen=True)
class AuthPct:
    """The percentage of authentic images on one array of features."""

    features: str = "pool"
    """the array of features that it takes."""

    label: ClassVar[str] = "AuthPct"
    higher_is_better: ClassVar[bool] = True
    consumes: ClassVar[str] = "features"

    def __call__(self, generated: FeatureSet, reference: FeatureSet) -> Estimate:
        """Return the percentage with Wilson's interval over generated images, which are independent here."""
        found = share(nearest_training(*feature_pair(generated, reference, self.features)).authentic)
        return Estimate(100 * found.value, 100 * found.low, 100 * found.high)


def authpct(generated: Features, training: References) -> float:
    """Return the percentage of generated images that are no copies of training images.

    Raises: UserError for fewer than two images, unequal widths or values that are not finite.
    """
    return AuthPct()({"pool": generated}, {"pool": training}).value
