"""Crops: photographs of any size become squares of one size, equal to those of the papers' code to the pixel.

Dhariwal and Nichol 2021: guided-diffusion's image_datasets.py (ImageNet) and datasets/lsun_bedroom.py (LSUN).
"""

import math
from collections.abc import Callable, Sequence

from PIL import Image

Crop = Callable[[Image.Image], Image.Image]

SMALLEST_SHARE = 0.8
"""The share of a picture's smaller side that a random crop keeps at least (before rounding up to whole pixels)."""


def halved_then_bicubic(image: Image.Image, size: int) -> Image.Image:
    """Return the central square at size x size. A box filter halves it while it is twice too large; bicubic follows."""
    return _central(_halved(image, size), size, Image.Resampling.BICUBIC)


def at_random(image: Image.Image, size: int, draws: Sequence[float]) -> Image.Image:
    """Return a square of size x size pixels that holds 0.8 to 1 of the smaller side, as ADM's classifiers are trained.

    draws: three numbers in [0, 1): how much is kept, how far down the square begins, and how far across. First the
    smaller side is resized to a whole number from size to size / 0.8 (rounded up): by a box filter, then bicubic.
    """
    scale, down, across = draws
    smaller = size + int(scale * (math.ceil(size / SMALLEST_SHARE) - size + 1))
    image = _resized(_halved(image, smaller), smaller, Image.Resampling.BICUBIC)
    left, top = int(across * (image.width - size + 1)), int(down * (image.height - size + 1))
    return image.crop((left, top, left + size, top + size))


def boxed(image: Image.Image, size: int) -> Image.Image:
    """Return the central square at size x size, by a box filter alone."""
    return _central(image, size, Image.Resampling.BOX)


def _halved(image: Image.Image, smaller: int) -> Image.Image:
    """Return a picture halved by a box filter while its smaller side is twice too large."""
    while min(image.size) >= 2 * smaller:
        image = image.resize((image.width // 2, image.height // 2), Image.Resampling.BOX)
    return image


def _resized(image: Image.Image, smaller: int, resampling: Image.Resampling) -> Image.Image:
    scale = smaller / min(image.size)
    return image.resize((round(image.width * scale), round(image.height * scale)), resampling)


def _central(image: Image.Image, size: int, resampling: Image.Resampling) -> Image.Image:
    image = _resized(image, size, resampling)
    left, top = (image.width - size) // 2, (image.height - size) // 2
    return image.crop((left, top, left + size, top + size))
