"""Images made smaller and larger, as bytes: low-resolution data sets, and the baseline that an upsampler must beat.

A pixel of a low-resolution image is the mean of a square of pixels, rounded to a byte. guided-diffusion trains its
upsamplers on the same mean without rounding (its super_res_train.py: interpolation by `area`). Here it is rounded,
because a cascade stores low-resolution images as bytes, and a network should be trained on what it will be given.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from diffbench.base.arrays import Bytes
from diffbench.base.errors import UserError


def size_of(entry: Mapping[str, Any], key: str, where: str) -> int | None:
    """Return the height in pixels under `key` of an entry; None if there is none. Raises: UserError."""
    size = entry.get(key)
    if size is not None and (not isinstance(size, int) or isinstance(size, bool) or size < 1):
        raise UserError(f"{where}.{key}: {size!r} is not a number of pixels")
    return size


def sized(size: int | None) -> str:
    """Return a size in words."""
    return "the data set's own size" if size is None else f"{size} pixels"


def spoken_shape(shape: tuple[int, int, int]) -> str:
    """Return the shape (height, width, channels) of images in words, such as "32x32 in colour"."""
    height, width, channels = shape
    return f"{width}x{height} {({1: 'in grey', 3: 'in colour'}).get(channels, f'with {channels} channels')}"


def shrunk_shape(shape: tuple[int, int, int], size: int | None) -> tuple[int, int, int]:
    """Return the shape (channel, height, width) of images that are shrunk to a height of `size`.

    size None: the images keep their shape. Raises: UserError if `size` does not divide the height or the width.
    """
    if size is None:
        return shape
    channels, height, width = shape
    return (channels, size, width // factor(height, width, size))


def factor(height: int, width: int, size: int) -> int:
    """Return by which factor images are shrunk to a height of `size` pixels.

    Raises: UserError if the factor is not a whole number of 2 or more, or does not divide the width.
    """
    times = height // size
    if times < 2 or times * size != height or width % times:
        raise UserError(
            f"images of {height}x{width} cannot be shrunk to a height of {size}; choose 1/2, 1/3, ... of {height}"
        )
    return times


def shrunk(images: Bytes, size: int) -> Bytes:
    """Return images shrunk to a height of `size` pixels: means of squares of pixels, rounded to bytes, halves up.

    Raises: UserError if the images cannot be divided into such squares.
    """
    number, height, width, channels = images.shape
    times = factor(height, width, size)
    squares = images.reshape(number, size, times, width // times, times, channels)
    sums, area = squares.sum(axis=(2, 4), dtype=np.uint32), times * times
    return ((2 * sums + area) // (2 * area)).astype(np.uint8)


def enlarged(images: Bytes, height: int, width: int) -> Bytes:
    """Return images enlarged bilinearly and rounded to bytes: what an upsampler's network gets as its input.

    Pixels are squares, so the centre of pixel i is at (i + 1/2) / size in both sizes (torch's align_corners=False).
    """
    rows, columns = _weights(images.shape[1], height), _weights(images.shape[2], width)
    values = np.einsum("yh,nhwc,xw->nyxc", rows, images.astype(np.float64), columns, optimize=True)
    # The small term keeps areas of equal pixels as they are, even if the sum of the weights is just below 1.
    return np.floor(values + 0.5 + 1e-9).astype(np.uint8)


def _weights(old: int, new: int) -> np.ndarray:
    """Return the weight of each old pixel (a column) in each new pixel (a row)."""
    place = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    below = np.floor(place).astype(int)
    weights = np.zeros((new, old))
    weights[np.arange(new), below] = 1 - (place - below)
    weights[np.arange(new), np.minimum(below + 1, old - 1)] += place - below
    return weights
