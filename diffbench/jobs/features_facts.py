"""Facts of features: of which images they are, and what extracted them."""

from dataclasses import dataclass, field

from diffbench.jobs.facts import Facts
from diffbench.jobs.job import OMITTED


@dataclass(frozen=True, kw_only=True)
class ImagesFacts(Facts):
    """Of the facts of any images, what their features depend on: the height and width that they are enlarged to."""

    full_size: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class FeaturesFacts(Facts):
    """Facts of the features of a set of images.

    weights_sha256: of the extractor. resize: how it resizes images. pixels_sha256: of the images, whatever file holds
    them. moments: the hash of each feature's mean and covariance, where the images' file stores them. enlarged_to:
    height and width to which the images were enlarged first, where they were.
    """

    weights_sha256: str
    resize: str
    num_images: int
    pixels_sha256: str
    moments: dict[str, str] | None = field(default=None, metadata=OMITTED)
    enlarged_to: tuple[int, int] | None = field(default=None, metadata=OMITTED)
