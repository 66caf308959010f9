"""Micro-batches of equal size, the last one padded, because a network's output depends on the shape of its batch."""

from collections.abc import Iterator

import torch
from jaxtyping import Int
from torch import Tensor

Index = Int[Tensor, " batch"]
"""Numbers of images."""


def batch_ranges(num_images: int, size: int) -> list[tuple[int, int]]:
    """Return the half-open ranges [start, end) of images that are evaluated together."""
    return [(start, min(start + size, num_images)) for start in range(0, num_images, size)]


def micro_batches(index: Index, size: int) -> Iterator[tuple[slice, Index]]:
    """Yield places in `index` and the `size` images there; the last image is repeated to fill the last batch."""
    for start, end in batch_ranges(len(index), size):
        yield slice(start, end), index[torch.arange(start, start + size).clamp(max=end - 1)]


def spread(total: int, wanted: int | None) -> Index:
    """Return the positions of `wanted` of `total` images, evenly spread because a split may be sorted by class."""
    count = min(wanted or total, total)
    return torch.arange(count) * total // count
