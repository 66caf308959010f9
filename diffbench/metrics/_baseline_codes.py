"""Codelengths that need no model, so that a reader can judge a number of bits per dimension."""

import numpy as np
from jaxtyping import UInt8

from diffbench.base.arrays import Bytes

LARGEST = 64 * 64 * 3
"""The most dimensions with a histogram for each pixel. Beyond that, the counts would be larger than most data sets."""

CHUNK = 4096


def level_index(images: Bytes, levels: int) -> np.ndarray:
    """Return bytes as the indices of their grey levels: k for round(k 255 / (levels - 1))."""
    return np.round(images.astype(np.float32) * ((levels - 1) / 255)).astype(np.int64)


def uniform_code(levels: int) -> float:
    """Return the bits per dimension of a code that knows only the number of grey levels."""
    return float(np.log2(levels))


def histogram_code(
    train: UInt8[np.ndarray, "train height width channel"],
    test: UInt8[np.ndarray, "test height width channel"],
    levels: int,
) -> float | None:
    """Return the bits per dimension of coding each pixel by its own histogram over the training split.

    Counts start at 1/2 (Krichevsky and Trofimov 1981), so that an unseen level has a code. Large images give None.
    """
    dimensions = int(np.prod(train.shape[1:]))
    if dimensions > LARGEST:
        return None
    counts = np.full((dimensions, levels), 0.5)
    position = np.arange(dimensions)
    for start in range(0, len(train), CHUNK):
        for row in level_index(train[start : start + CHUNK], levels).reshape(-1, dimensions):
            counts[position, row] += 1
    bits = -np.log2(counts / counts.sum(axis=1, keepdims=True))
    total = 0.0
    for start in range(0, len(test), CHUNK):
        rows = level_index(test[start : start + CHUNK], levels).reshape(-1, dimensions)
        total += float(bits[position, rows].sum())
    return total / (len(test) * dimensions)
