"""Facts of a prepared split: its images, their grey levels and classes, and their codelength without a model."""

from dataclasses import dataclass, field

from diffbench.jobs.facts import MERGED, Facts
from diffbench.jobs.job import OMITTED


@dataclass(frozen=True, kw_only=True)
class Codes(Facts):
    """Bits per dimension of the test split under codes that need no model; large images have no histogram code."""

    uniform_bits_per_dim: float | None = None
    histogram_bits_per_dim: float | None = None


@dataclass(frozen=True, kw_only=True)
class DataFacts(Facts):
    """Facts of a prepared split.

    shape: height, width and channels. flip: whether training mirrors images. class_counts: the number of images of each
    label. images_sha256: the hash of the images' bytes; for a smaller copy, that of the original images. source: the
    hash of the files from which the images were read. full_size: height and width of the original images, if this is a
    smaller copy. codes: None for a smaller copy.
    """

    num_images: int
    shape: tuple[int, int, int]
    levels: int
    flip: bool
    num_classes: int | None
    class_counts: tuple[int, ...] | None = None
    images_sha256: str | None = None
    source: str | None = field(default=None, metadata=OMITTED)
    full_size: tuple[int, int] | None = field(default=None, metadata=OMITTED)
    codes: Codes | None = field(default=None, metadata=MERGED)
