"""Facts of weights: the data for which a network is made, and the images on which it was trained, if known."""

from dataclasses import dataclass, field
from typing import Self

from diffbench.jobs.data_facts import DataFacts
from diffbench.jobs.facts import MERGED, Facts
from diffbench.jobs.job import OMITTED, Options


@dataclass(frozen=True, kw_only=True)
class TrainedOn(Facts):
    """The images on which diffbench trained weights: the hash of their bytes, and how many each class has."""

    images_sha256: str | None = None
    class_counts: tuple[int, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class WeightsFacts(Facts):
    """Facts of the weights of a model or a classifier, which may be trained, converted or imported.

    shape: height, width and channels of the images. low_size: the height of the images that an upsampler is given.
    full_size: height and width of the original data set, if the images are a smaller copy of it. flip: whether training
    mirrored images; None if that is not known. source: the origin of released weights. trained_on: None if diffbench
    did not train the weights.
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

    @classmethod
    def of(cls, known: DataFacts, low_size: int | None = None) -> Self:
        """Return what is known of weights for a prepared data set before they are trained."""
        return cls(
            shape=known.shape,
            levels=known.levels,
            num_classes=known.num_classes,
            flip=known.flip,
            low_size=low_size,
            full_size=known.full_size,
        )

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """The channels, height and width of the images, in the order of networks and samplers."""
        height, width, channels = self.shape
        return channels, height, width

    @property
    def images_sha256(self) -> str | None:
        """The hash of the training images; None if it is not known."""
        return None if self.trained_on is None else self.trained_on.images_sha256

    @property
    def class_counts(self) -> tuple[int, ...] | None:
        """The number of training images of each class; None if it is not known."""
        return None if self.trained_on is None else self.trained_on.class_counts
