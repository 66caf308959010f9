"""Picture files to bytes: what cannot be shown exactly as 8 bits a channel is refused."""

import io
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from diffbench.base.errors import UserError
from diffbench.datasets._crop import Crop

MODES = {1: "L", 3: "RGB"}
"""Pillow's names for the number of channels."""

DEEP = ("I", "I;16", "I;16B", "I;16L", "F")
"""Pillow's modes with more than 8 bits; its own conversion cuts them off at 255."""


def decoded(
    source: Path | bytes, channels: int, where: str, crop: Crop | None = None
) -> UInt8[np.ndarray, "height width channel"]:
    """Return a picture's first frame; grey becomes colour by repetition, colour grey by Rec. 601 luma.

    where: the picture's name, for messages. crop: applied after the conversion, as the papers' code does. Orientation
    tags are ignored.
    Raises: UserError where it cannot be decoded, has more than 8 bits a channel, or transparent pixels.
    """
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
            image.load()
            if image.mode not in DEEP:
                transparent = image.has_transparency_data and image.convert("RGBA").getextrema()[3][0] < 255
                converted = image.convert(MODES[channels])
                pixels = np.asarray(converted if crop is None else crop(converted))
            mode = image.mode
    # Decoders fail in many ways (OSError, SyntaxError, struct.error, ...), all of them a bad picture.
    except Exception as error:
        raise _unreadable(where, error) from error
    if mode in DEEP:
        raise UserError(f"{where}: has more than 8 bits a channel (mode {mode}); convert it to 8 bits")
    if transparent:
        raise UserError(f"{where}: has transparent pixels; flatten it onto a background")
    return pixels.reshape(pixels.shape[0], pixels.shape[1], channels)


def header_shape(source: bytes, channels: int, where: str) -> tuple[int, int, int]:
    """Return the height and width that a picture's header states, and `channels`, without decoding it.

    Raises: UserError where it is not a picture.
    """
    try:
        with Image.open(io.BytesIO(source)) as image:
            return image.height, image.width, channels
    except Exception as error:
        raise _unreadable(where, error) from error


def require_shape(found: tuple[int, ...], shape: tuple[int, ...], where: str, expected_by: str) -> None:
    """Raise UserError, naming the picture, where the size found is not `shape`."""
    if found != shape:
        raise UserError(f"{where}: is {_spoken(found)}, but {expected_by} {_spoken(shape)}; all must be equal")


def _unreadable(where: str, error: Exception) -> UserError:
    # Pillow names the file, or the buffer in memory, a second time; keep the first words only.
    reason = " ".join(str(error).split()).split(" <_io")[0].split(" '")[0] or type(error).__name__
    return UserError(f"{where}: cannot be read as an image ({reason}); replace or remove it")


def _spoken(shape: tuple[int, ...]) -> str:
    height, width, channels = shape
    return f"{width}x{height}" + ("" if channels == 3 else f" with {channels} channel")
