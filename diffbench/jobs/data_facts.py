"""Facts of a prepared split: its images, their grey levels and classes, and what they are coded with anyway."""

from dataclasses import dataclass, field

from diffbench.jobs.facts import MERGED, Facts
from diffbench.jobs.job import OMITTED


@dataclass(frozen=True, kw_only=True)
class Codes(Facts):
    """Bits per dimension of the test split by codes that need no model; no histogram is kept of large images."""

    uniform_bits_per_dim: float | None = None
    histogram_bits_per_dim: float | None = None


@dataclass(frozen=True, kw_only=True)
class DataFacts(Facts):
    """Facts of a prepared split.

    shape: height, width and channels. flip: whether training mirrors images. class_counts: of the images, by label.
    images_sha256: of their bytes; of a smaller copy, the hash of those that it was made of. source: the hash of the
    files that they were read from. full_size: height and width of what is a smaller copy here. codes: None of such.
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
