"""From photographs of any size to squares of one, as the papers' code prepares its data, to the pixel.

Dhariwal and Nichol 2021: guided-diffusion's image_datasets.py (ImageNet) and datasets/lsun_bedroom.py (LSUN).
"""

from collections.abc import Callable

from PIL import Image

Crop = Callable[[Image.Image], Image.Image]


def halved_then_bicubic(image: Image.Image, size: int) -> Image.Image:
    """Return the central square at size x size: halved by a box filter while twice too large, then bicubic."""
    while min(image.size) >= 2 * size:
        image = image.resize((image.width // 2, image.height // 2), Image.Resampling.BOX)
    return _central(image, size, Image.Resampling.BICUBIC)


def boxed(image: Image.Image, size: int) -> Image.Image:
    """Return the central square at size x size, by a box filter alone."""
    return _central(image, size, Image.Resampling.BOX)


def _central(image: Image.Image, size: int, resampling: Image.Resampling) -> Image.Image:
    scale = size / min(image.size)
    image = image.resize((round(image.width * scale), round(image.height * scale)), resampling)
    left, top = (image.width - size) // 2, (image.height - size) // 2
    return image.crop((left, top, left + size, top + size))
