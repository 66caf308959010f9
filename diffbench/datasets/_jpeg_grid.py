"""A test of whether images were saved as JPEG at their present size, which the papers' CIFAR-10 was not.

JPEG rounds the frequencies of blocks of 8x8 pixels, most of the high ones to 0. So high frequencies that are nearly 0
are much more common in blocks on the grid of JPEG than in blocks beside it. In other images both are equally common.
"""

import numpy as np
from jaxtyping import Float
from scipy.fft import dctn

from diffbench.base.arrays import Bytes

BLOCK = 8

NEARLY_ZERO = 1.5
"""In grey levels: what rounding to bytes leaves of a frequency that JPEG set to 0."""

EXCESS = 1.25
"""The ratio of the two shares from which on images count as JPEG. It is 1.0 for 600 crops of scikit-learn's two
photographs, 1.5 for the same crops saved with quality 95, 2.1 with 75, and 3.5 for a copy of CIFAR-10 as JPEG. With
quality 98 it is 1.08, which is not found; such a copy differs from the original by less than a grey level."""

LUMA = (0.299, 0.587, 0.114)


def saved_as_jpeg(images: Bytes) -> bool:
    """Return whether colour images (number, height, width, channels) of 16 pixels or more were saved as JPEG."""
    if images.shape[3] != 3 or min(images.shape[1:3]) < 2 * BLOCK or not len(images):
        return False
    luma = images.astype(np.float64) @ np.array(LUMA)
    half = BLOCK // 2
    beside = _zeros(luma[:, half:, half:])
    return beside > 0 and _zeros(luma) > EXCESS * beside


def _zeros(luma: Float[np.ndarray, "images height width"]) -> float:
    """Return the share of high frequencies in blocks that are nearly 0."""
    count, rows, columns = len(luma), luma.shape[1] // BLOCK, luma.shape[2] // BLOCK
    whole = luma[:, : rows * BLOCK, : columns * BLOCK].reshape(count, rows, BLOCK, columns, BLOCK)
    frequencies = np.asarray(dctn(whole, axes=(2, 4), norm="ortho"))
    across, down = np.indices((BLOCK, BLOCK))
    high = frequencies.transpose(0, 1, 3, 2, 4)[..., across + down >= BLOCK]
    return float((np.abs(high) < NEARLY_ZERO).mean())
