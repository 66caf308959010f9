"""Sets of images of several sizes in one `.npz`: the pixels of one image after another, and the size of each.

Protocols that resize each image separately take such sets. All others need `arr_0`, whose images have one size.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8

from diffbench.base.arrays import load_member, member_names, read_header, stream_pieces, writing_npz
from diffbench.base.errors import UserError

PIXELS, SIZES = "pixels", "sizes"
"""The arrays of the file: the bytes of all images, and (height, width, channels) of each image."""

MOST = 2**24
"""The most images in one file."""

LONGEST_SIDE = 2**20
"""The most pixels of an image's height or width."""

Image = UInt8[np.ndarray, "height width channel"]


def write_mixed(path: Path, sizes: Sequence[tuple[int, int, int]], images: Iterable[Image]) -> None:
    """Write images, whose sizes must be given beforehand, one after another."""
    lengths = np.prod(np.array(sizes, np.int64), axis=1)
    with writing_npz(path) as writer:
        writer.add(SIZES, np.array(sizes, np.int64))
        with writer.member(PIXELS, (int(lengths.sum()),), np.uint8) as pixels:
            for image in images:
                pixels.write(image.reshape(-1))


def is_mixed(path: Path) -> bool:
    """Return whether a file holds images of several sizes."""
    return set(member_names(path)) == {PIXELS, SIZES}


def mixed_sizes(path: Path) -> Int[np.ndarray, "images 3"]:
    """Return height, width and channels of each image. Raises: UserError if they do not add up to the pixels."""
    header, pixels = read_header(path, SIZES), read_header(path, PIXELS)
    if header.dtype != np.int64 or len(header.shape) != 2 or header.shape[1] != 3 or pixels.dtype != np.uint8:
        raise UserError(f"{path}: {SIZES} is {header} and {PIXELS} {pixels}, no set of images; make it again")
    if not 0 < header.shape[0] <= min(MOST, pixels.size):
        raise UserError(f"{path}: {header.shape[0]} sizes for {pixels.size} bytes of pixels; make it again")
    sizes = load_member(path, SIZES)
    # Bounded sides keep the products below 2^63; their sum may be larger, so it is computed in float64.
    fitting = (sizes > 0).all() and (sizes <= LONGEST_SIDE).all()
    if not fitting or pixels.shape != (int(sizes.prod(axis=1).astype(np.float64).sum()),):
        raise UserError(f"{path}: the sizes of its images do not add up to its {pixels.size} bytes; make it again")
    return sizes


def stream_mixed(path: Path, chunk: int) -> Iterator[list[Image]]:
    """Yield the images in lists of `chunk`, with one list in memory at a time. Raises: UserError as `mixed_sizes`."""
    sizes = mixed_sizes(path)
    pieces = stream_pieces(path, PIXELS, map(int, sizes.prod(axis=1)))
    for start in range(0, len(sizes), chunk):
        yield [next(pieces).reshape(tuple(map(int, size))) for size in sizes[start : start + chunk]]
    for _ in pieces:  # At its end the iterator compares the checksum.
        pass
