"""Facts of features: the images that they describe, and the extractor."""

from dataclasses import dataclass, field

from diffbench.base.numerics import Precision
from diffbench.jobs.facts import Facts
from diffbench.jobs.job import OMITTED


@dataclass(frozen=True, kw_only=True)
class ImagesFacts(Facts):
    """The facts of any images on which their features depend: the height and width to which they are enlarged."""

    full_size: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class FeaturesFacts(Facts):
    """Facts of the features of a set of images.

    weights_sha256: the hash of the extractor's weights. resize: how it resizes images. pixels_sha256: the hash of the
    images alone, which is the same for every file that holds them. moments: the hash of each feature's mean and
    covariance, if the file of images stores them. enlarged_to: height and width to which the images were enlarged
    first, if they were. precision: the precision of the extractor's network, which the facts of the device say.
    """

    weights_sha256: str
    resize: str
    num_images: int
    pixels_sha256: str
    moments: dict[str, str] | None = field(default=None, metadata=OMITTED)
    enlarged_to: tuple[int, int] | None = field(default=None, metadata=OMITTED)
    precision: Precision | None = field(default=None, metadata=OMITTED)
