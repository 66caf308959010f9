"""What every data set hands over: labels, and images in pieces, so that a set does not have to fit into memory."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, UInt8

from diffbench.base.arrays import Bytes
from diffbench.base.errors import UserError
from diffbench.datasets._crop import Crop

CHUNK = 1024
"""Images in a piece: 12 MB at 64x64 in colour."""


@dataclass(frozen=True)
class Pictures:
    """A look at a split's picture files before they are prepared.

    across: the pixels to which pictures are cropped; None if they stay as they are. where: the name of picture k.
    size: reads the header of picture k, and returns the picture's height and width before any crop. decode: reads
    picture k as `chunks` would, which notices the same things. The last two raise UserError for a bad picture.
    """

    across: int | None
    where: Callable[[int], str]
    size: Callable[[int], tuple[int, int]]
    decode: Callable[[int], object]


class MissingDataError(UserError):
    """The data are not where the configuration says: they are not fetched yet, or the path is wrong."""


@dataclass(frozen=True)
class Split:
    """The images of one split. `chunks` yields them once, in order, and raises UserError at the first bad one."""

    num_images: int
    shape: tuple[int, int, int]
    """Height, width, channels."""
    labels: Int64[np.ndarray, " num_images"] | None
    chunks: Iterator[Bytes]
    cut: Callable[[int, Crop | None], UInt8[np.ndarray, "height width channel"]] | None = None
    """Image k, made again from its picture by another crop, or by the data set's own (None). Several threads call it at
    once. None if there are no pictures, because the images are stored as they are."""
    pictures: Pictures | None = None
    """A look at single pictures, if the images come from picture files."""
    notes: Callable[[], Sequence[str]] = tuple
    """What a person must know of how the images were read, as clauses. Complete once `chunks` have been read."""

    def summary(self) -> str:
        """Return what was read, in one line, such as "200 pictures of 2 classes; left out: 30 of .heic"."""
        count = f"{self.num_images} picture{'' if self.num_images == 1 else 's'}"
        if self.labels is not None:
            classes = len(np.unique(self.labels))
            count += f" of {classes} class{'' if classes == 1 else 'es'}"
        # The notes hold names of files, and these may hold a line break.
        return " ".join("; ".join([count, *self.notes()]).split())


def split_of_arrays(images: Bytes, labels: np.ndarray | None) -> Split:
    """Return a split of arrays that are in memory already."""
    height, width, channels = images.shape[1:]
    return Split(
        num_images=len(images),
        shape=(height, width, channels),
        labels=None if labels is None else np.asarray(labels, np.int64),
        chunks=(images[start : start + CHUNK] for start in range(0, len(images), CHUNK)),
    )


def checked_labels(labels: np.ndarray, num_classes: int, source: str) -> Int64[np.ndarray, " num_images"]:
    """Return labels as int64.

    source: where they come from, for messages. Raises: UserError if one is outside 0 .. num_classes - 1.
    """
    wrong = np.flatnonzero((labels < 0) | (labels >= num_classes))
    if len(wrong):
        raise UserError(
            f"{source}: image {wrong[0]} has label {labels[wrong[0]]}; "
            f"{num_classes} classes allow 0 to {num_classes - 1}"
        )
    return labels.astype(np.int64)
