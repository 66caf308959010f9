"""A reader of image files: what a file holds, by its headers alone, and its images in pieces."""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diffbench.base.arrays import Header, load_member, member_names, read_header, stream_member
from diffbench.base.errors import UserError
from diffbench.metrics._features import STORED_MOMENTS
from diffbench.stages._mixed_sizes import is_mixed, mixed_sizes, stream_mixed

CHUNK = 1024
"""The most images per read. It is a multiple of the extractors' micro-batch, so micro-batches stay the same."""

FEWEST = 64
"""The fewest images per read, which is one micro-batch. Images of several sizes are read in pieces of this number."""

LARGEST_PIECE = 2**29
"""The most bytes per read, as long as they are at least `FEWEST` images."""

LARGEST_FEATURE = 4096
"""The most dimensions of a stored mean. No extractor has more features."""

CHANNELS = (1, 3)


@dataclass(frozen=True)
class ImageSet:
    """What a file's images are. size: height and width; None if the images have several sizes."""

    num_images: int
    channels: int
    size: tuple[int, int] | None
    has_labels: bool

    def __str__(self) -> str:
        size = "several sizes" if self.size is None else f"{self.size[1]}x{self.size[0]}"
        return f"{self.num_images} images of {size}, {self.channels} channel{'s' if self.channels > 1 else ''}"


def image_set(path: Path) -> ImageSet:
    """Return what a file of images holds: `arr_0`, uint8 NHWC, with its labels `arr_1`, or images of several sizes.

    Raises: UserError if it holds anything else.
    """
    held = member_names(path)
    if is_mixed(path):
        sizes = mixed_sizes(path)
        return ImageSet(len(sizes), int(sizes[0, 2]), None, False)
    if "arr_0" not in held and {"mu", "sigma"} & set(held):
        raise UserError(f"{path}: holds statistics without images, so their protocol is unknown; give the images too")
    if "arr_0" not in held and held:
        raise UserError(f"{path}: no array 'arr_0', which holds the images, but {', '.join(held[:6])}; rename it")
    header = read_header(path, "arr_0")
    _require_images(path, header)
    has_labels = "arr_1" in held
    if has_labels:
        _require_labels(path, header.shape[0])
    n, height, width, channels = header.shape
    return ImageSet(n, channels, (height, width), has_labels)


def chunks(path: Path) -> Iterator[np.ndarray | list[np.ndarray]]:
    """Yield a file's images in pieces, as lists if the images have several sizes. Raises: UserError as `image_set`."""
    if image_set(path).size is None:
        yield from stream_mixed(path, FEWEST)
    else:
        size = math.prod(read_header(path, "arr_0").shape[1:])
        yield from stream_member(path, "arr_0", min(CHUNK, max(FEWEST, LARGEST_PIECE // size // FEWEST * FEWEST)))


def labels_of(path: Path) -> np.ndarray | None:
    """Return the labels of any file's images, or None. Raises: UserError as `image_set`."""
    return stored_labels(path) if image_set(path).has_labels else None


def stored_labels(path: Path) -> np.ndarray | None:
    """Return the labels of a file of images that diffbench made, or None."""
    return load_member(path, "arr_1") if "arr_1" in member_names(path) else None


def stored_features(path: Path) -> list[str]:
    """Return the features whose mean and covariance a file stores. Raises: UserError if one of them is missing."""
    held, found = member_names(path), []
    for feature, pair in STORED_MOMENTS.items():
        there = [name for name in pair if name in held]
        if len(there) == 1:
            (absent,) = set(pair) - set(there)
            raise UserError(f"{path}: stores {there[0]} without {absent}; add it, or remove {there[0]}")
        if there:
            _require_moments(path, feature, *pair)
            found.append(feature)
    return found


def stored_statistics(path: Path) -> dict[str, np.ndarray]:
    """Return the means and covariances that a file stores; a file without them gives an empty dictionary.

    ADM's reference batches store those of a larger set than their images.
    Raises: UserError if one of a pair is missing, or it has no such shape.
    """
    return {name: load_member(path, name) for feature in stored_features(path) for name in STORED_MOMENTS[feature]}


def moments_digests(stored: dict[str, np.ndarray]) -> dict[str, str]:
    """Return the hash of each feature's stored mean and covariance, by the feature's name."""
    return {
        feature: hashlib.sha256(b"".join(np.asarray(stored[name], "<f8").tobytes() for name in pair)).hexdigest()
        for feature, pair in STORED_MOMENTS.items()
        if set(pair) <= set(stored)
    }


class PixelHash:
    """The hash of the sizes and bytes of images. It does not depend on the file or on the pieces that are read.

    An image with three equal channels counts as grey, because many programs store grey pictures in this way.
    """

    def __init__(self) -> None:
        self._hashed, self._shape = hashlib.sha256(), None

    def add(self, images: np.ndarray | list[np.ndarray]) -> None:
        """Add the next images to the hash."""
        if isinstance(images, list):
            for image in images:
                self.add(image[None])
            return
        if images.shape[-1] == 1:
            self._update(images)
            return
        for image in images:
            grey = bool((image == image[..., :1]).all())
            self._update(image[None, ..., :1] if grey else image[None])

    def hexdigest(self) -> str:
        """Return the hash in hexadecimal."""
        return self._hashed.hexdigest()

    def _update(self, images: np.ndarray) -> None:
        if images.shape[1:] != self._shape:
            self._shape = images.shape[1:]
            self._hashed.update(f"{self._shape}\0".encode())
        self._hashed.update(np.ascontiguousarray(images).data)


def _require_images(path: Path, header: Header) -> None:
    if header.dtype != np.uint8 or len(header.shape) != 4:
        raise UserError(
            f"{path}: arr_0 is {header}, wanted uint8 images (n, height, width, channels); "
            "convert them to bytes, 0 to 255, first"
        )
    n, height, _, channels = header.shape
    if height in CHANNELS and channels not in (*CHANNELS, 4):
        raise UserError(f"{path}: arr_0 is {header}, channels first; save images.transpose(0, 2, 3, 1)")
    if header.fortran:
        raise UserError(f"{path}: arr_0 is in Fortran order; save np.ascontiguousarray(images)")
    if not n:
        raise UserError(f"{path}: holds no images")
    if 0 in header.shape:
        raise UserError(f"{path}: arr_0 is {header}, images without a pixel")


def _require_labels(path: Path, num_images: int) -> None:
    labels = read_header(path, "arr_1")
    if labels.shape != (num_images,) or labels.dtype.kind not in "iu":
        raise UserError(
            f"{path}: arr_1 is {labels}, where labels are whole numbers, one for each of the {num_images} images; "
            "remove it, or save each set of images in a file of its own"
        )


def _require_moments(path: Path, feature: str, mean: str, covariance: str) -> None:
    mu, sigma = read_header(path, mean), read_header(path, covariance)
    d = mu.shape[0] if mu.shape else 0
    numbers = mu.dtype.kind in "fiu" and sigma.dtype.kind in "fiu"
    if mu.shape != (d,) or sigma.shape != (d, d) or not 0 < d <= LARGEST_FEATURE or not numbers:
        raise UserError(f"{path}: {mean} is {mu} and {covariance} {sigma}, no mean and covariance of '{feature}'")
