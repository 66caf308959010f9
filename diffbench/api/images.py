"""Images that a person gives in Python: checks of what often goes wrong, and a grid of them to look at."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from diffbench.api.asked import whole
from diffbench.base.errors import UserError

Given = Any
"""An array or a tensor of images, or a list of images of several sizes."""

SHAPE = "uint8 (image, height, width, channel)"
CHANNELS = (1, 3)
SMALLEST_SHOWN = 48
"""Pixels. Smaller images are enlarged by a whole number to at least this size."""
GAP = 2
"""White pixels between the images of a grid."""


def as_images(given: Given, name: str = "images") -> np.ndarray | list[np.ndarray]:
    """Return images as one uint8 array (image, height, width, channel), or as a list if they have several sizes.

    name: of the argument, for messages. Raises: UserError that says how to convert anything else.
    """
    if isinstance(given, (list, tuple)):
        return _listed(given, name)
    images = _array(given, name)
    _require_bytes(images, name)
    if images.ndim != 4:
        ways = {3: "; a single image or grey ones need an axis more: images[None] or images[..., None]"}
        raise UserError(f"{name}: shape {images.shape}, wanted {SHAPE}{ways.get(images.ndim, '')}")
    if not images.size:
        raise UserError(f"{name}: shape {images.shape} holds no image")
    _require_channels_last(images.shape[1:], images.shape, name, "transpose(0, 2, 3, 1)")
    return np.ascontiguousarray(images)


def _listed(given: Sequence[Any], name: str) -> np.ndarray | list[np.ndarray]:
    if not given:
        raise UserError(f"{name}: an empty list")
    images = [_array(item, f"{name}[{place}]") for place, item in enumerate(given)]
    for place, image in enumerate(images):
        _require_bytes(image, f"{name}[{place}]")
        if image.ndim != 3 or not image.size:
            raise UserError(f"{name}[{place}]: shape {image.shape}, wanted uint8 (height, width, channel)")
        _require_channels_last(image.shape, image.shape, f"{name}[{place}]", "transpose(1, 2, 0)")
    return np.stack(images) if len({image.shape for image in images}) == 1 else images


def _array(given: Any, name: str) -> np.ndarray:
    """Return an array, a CPU tensor or a PIL image as an array. Raises: UserError if it is none of them."""
    try:
        found = np.asarray(given)
    except Exception as error:  # A tensor on a GPU, or one with gradients, says here what is to be done.
        raise UserError(f"{name}: cannot be read as an array ({error})") from error
    if found.dtype == object or found.dtype.kind not in "biuf":
        raise UserError(f"{name}: {type(given).__name__} is no array of images; wanted {SHAPE}")
    return found


def _require_bytes(images: np.ndarray, name: str) -> None:
    """Raise UserError if images are not bytes; the message has the conversion that their range asks for."""
    if images.dtype == np.uint8:
        return
    if images.dtype.kind != "f":
        raise UserError(f"{name}: {images.dtype}, wanted {SHAPE}; if the values are 0 to 255, .astype('uint8')")
    odd = int((~np.isfinite(images)).sum())
    if odd:
        raise UserError(
            f"{name}: {odd} of {images.size} values are not finite (NaN or infinite), so they are no images"
        )
    low, high = (float(images.min()), float(images.max())) if images.size else (0.0, 0.0)
    ways = (
        (0 <= low and high <= 1, "in [0, 1]", f"(255 * {name}).round().astype('uint8')"),
        (-1 <= low and high <= 1, "in [-1, 1]", f"((({name} + 1) * 127.5).clip(0, 255)).astype('uint8')"),
        (True, f"from {low:.4g} to {high:.4g}", f"{name}.round().clip(0, 255).astype('uint8'), if 255 is white"),
    )
    where, way = next((where, way) for there, where, way in ways if there)
    raise UserError(f"{name}: {images.dtype} {where}, wanted {SHAPE}; convert by {way}")


def _require_channels_last(shape: tuple[int, ...], whole_shape: tuple[int, ...], name: str, way: str) -> None:
    if shape[-1] in CHANNELS:
        return
    if shape[0] in CHANNELS:
        raise UserError(f"{name}: shape {whole_shape} has its channels first; give {name}.{way}")
    raise UserError(f"{name}: shape {whole_shape} has {shape[-1]} channels; wanted {SHAPE} with 1 or 3")


def grid(images: Given, *, columns: int = 8, scale: int | None = None) -> Image.Image:
    """Return images side by side as one picture, which a notebook shows; `numpy.asarray` gives its bytes.

    images: uint8 (image, height, width, channel), all of one size. columns: images in a row. scale: the whole number by
    which pixels are enlarged, without smoothing; None enlarges images below 48 pixels to at least that size.
    Raises: UserError.
    """
    found = as_images(images)
    if isinstance(found, list):
        raise UserError("images: of several sizes, and a grid needs one; resize them first")
    count, height, width, channels = found.shape
    columns = min(whole("columns", columns, least=1), count)
    fitting = max(1, -(-SMALLEST_SHOWN // min(height, width)))
    zoom = fitting if scale is None else whole("scale", scale, least=1)
    rows = -(-count // columns)
    pitch = height * zoom + GAP, width * zoom + GAP
    canvas = np.full((rows * pitch[0] - GAP, columns * pitch[1] - GAP, channels), 255, np.uint8)
    for place, image in enumerate(found.repeat(zoom, axis=1).repeat(zoom, axis=2)):
        top, left = place // columns * pitch[0], place % columns * pitch[1]
        canvas[top : top + len(image), left : left + image.shape[1]] = image
    return Image.fromarray(canvas[..., 0] if channels == 1 else canvas)
