"""Facts of weights: the data that a network is made for, and what it was trained on, as far as that is known."""

from dataclasses import dataclass, field

from diffbench.jobs.facts import MERGED, Facts
from diffbench.jobs.job import OMITTED, Options


@dataclass(frozen=True, kw_only=True)
class TrainedOn(Facts):
    """The images that weights were trained on here: the hash of their bytes, and how many each class has."""

    images_sha256: str | None = None
    class_counts: tuple[int, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class WeightsFacts(Facts):
    """Facts of the weights of a model or a classifier, be they trained, converted or imported.

    shape: height, width and channels of the images. low_size: the height of those that an upsampler is given.
    full_size: height and width of the data set of which the images are a smaller copy. flip: whether training mirrored
    images; None where nobody says. source: of released weights, where they are from. trained_on: None where they were
    not trained here.
    """

    shape: tuple[int, int, int]
    levels: int
    num_classes: int | None
    flip: bool | None = field(default=None, metadata=OMITTED)
    low_size: int | None = field(default=None, metadata=OMITTED)
    full_size: tuple[int, int] | None = field(default=None, metadata=OMITTED)
    parameters: int | None = field(default=None, metadata=OMITTED)
    source: Options | None = field(default=None, metadata=OMITTED)
    trained_on: TrainedOn | None = field(default=None, metadata=MERGED)

    @property
    def images_sha256(self) -> str | None:
        """The hash of the images that were trained on; None where it is not known."""
        return None if self.trained_on is None else self.trained_on.images_sha256

    @property
    def class_counts(self) -> tuple[int, ...] | None:
        """How many images of each class were trained on; None where it is not known."""
        return None if self.trained_on is None else self.trained_on.class_counts
