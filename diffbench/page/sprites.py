"""Images of a sample set side by side in one small PNG, of which a page shows the parts."""

import io

import numpy as np
from jaxtyping import UInt8
from PIL import Image as Pillow

from diffbench.page.contents import Image


def sprite(images: UInt8[np.ndarray, "count height width channels"]) -> Image:
    """Return the images in a row, as a PNG of the fewest bytes. Raises: ValueError if they are not grey or RGB."""
    count, height, width, channels = images.shape
    if channels not in (1, 3):
        raise ValueError(f"images: {channels} channels are not allowed; 1 or 3")
    row = np.ascontiguousarray(images.transpose(1, 0, 2, 3)).reshape(height, count * width, channels)
    picture = Pillow.fromarray(row[:, :, 0] if channels == 1 else row)
    held = io.BytesIO()
    picture.save(held, "png", optimize=True)
    return Image("image/png", held.getvalue())
