"""A look at a data set's pictures before they are prepared: as many as a bounded time allows, in a fixed order."""

import time
from collections.abc import Callable, Iterator

import numpy as np

from diffbench.datasets._split import Pictures, Split

HEADER_SECONDS = 0.4
DECODING_SECONDS = 0.4
"""The most processor time for the headers of a split's pictures, and for decoding pictures."""


def looked_at(split: Split) -> Iterator[str]:
    """Yield what a person should know of a split's pictures, if it is made of any.

    Raises: UserError naming a picture that cannot be read.
    """
    pictures = split.pictures
    if pictures is None:
        return
    size = pictures.across
    # In a random order, so that pictures of all classes and of the end of the alphabet are among the first.
    order = np.random.Generator(np.random.PCG64(0)).permutation(split.num_images).tolist()
    smaller: list[int] = []

    def header(k: int) -> None:
        if size is not None and min(pictures.size(k)) < size:
            smaller.append(k)

    num_headers = split.num_images if size is None else _in_time(header, order, HEADER_SECONDS)
    num_decoded = _in_time(pictures.decode, order, DECODING_SECONDS)
    if smaller:
        yield _enlarged(pictures, smaller, size)
    if num_decoded < split.num_images:
        yield (
            f"of {split.num_images:,} pictures, the headers of {num_headers:,} and the pixels of {num_decoded:,} were "
            "read; a run reads all of them first"
        )


def _in_time(look: Callable[[int], object], order: list[int], seconds: float) -> int:
    """Return how many pictures were looked at before the time was over."""
    end = time.process_time() + seconds
    for count, k in enumerate(order):
        if count and time.process_time() > end:
            return count
        look(k)
    return len(order)


def _enlarged(pictures: Pictures, smaller: list[int], size: int | None) -> str:
    first = min(map(pictures.where, smaller))
    count = f"{len(smaller)} pictures are" if len(smaller) > 1 else "1 picture is"
    return f"{count} smaller than size {size} and will be enlarged, {first} first"
