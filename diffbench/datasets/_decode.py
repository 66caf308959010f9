"""Picture files to bytes: what cannot be shown exactly as 8 bits a channel is refused."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from diffbench.base.errors import UserError
from diffbench.datasets._crop import Crop
from diffbench.datasets._noticed import FRAMES, INKS, LUMA, TURNED, Noticed

FORMATS = {
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "JPEG": (".jfif", ".jpe", ".jpeg", ".jpg"),
    "PNG": (".png",),
    "PPM": (".pbm", ".pgm", ".pnm", ".ppm"),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
}
"""Pillow's names of the formats that are read, and their files' endings: those of the papers' loaders and of
pytorch-fid, clean-fid and torchvision. Pillow would try all that it knows, and start Ghostscript for one of them."""

MODES = {1: "L", 3: "RGB"}
"""Pillow's names for the number of channels."""

EXACT = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBa", "La", "YCbCr")
"""Pillow's modes that become grey or RGB by a rule that leaves no choice. CMYK is read too, and said."""

GREY = ("1", "L", "LA", "La")
"""Pillow's modes without colour."""

DEEP = ("I", "F")
"""How the names of Pillow's modes with more than 8 bits begin; its own conversion cuts them off at 255."""

ORIENTATION = 0x0112
BITS_PER_SAMPLE, SAMPLES_PER_PIXEL, SAMPLE_FORMAT = 258, 277, 339
"""Tags of TIFF 6.0; the first one stands in EXIF too."""

UNSIGNED = (1, 4)
"""TIFF's sample formats: whole numbers without a sign, and undefined, which are read as such."""

# Pillow refuses a picture of more than 179 million pixels by itself; its warning from 89 million on is no news.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
# What it warns of in damaged files is refused here in one line, or changes no pixel.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


@dataclass(frozen=True)
class Header:
    """What a picture's header states. grey: whether it has no colours."""

    height: int
    width: int
    grey: bool


def decoded(
    source: bytes, channels: int, where: str, crop: Crop | None = None, noticed: Noticed | None = None
) -> UInt8[np.ndarray, "height width channel"]:
    """Return a picture's first frame; grey becomes colour by repetition, colour grey by Rec. 601 luma.

    where: the picture's name, for messages. crop: applied after the conversion, as the papers' code does. noticed:
    counts what a person must know of it. Orientation tags are ignored, also as there.
    Raises: UserError where it cannot be decoded, has more than 8 bits a channel, or transparent pixels.
    """
    with _opened(io.BytesIO(source), where) as image:
        if noticed is not None:
            _notice(image, source, where, noticed)
        image.load()
        if image.has_transparency_data and np.asarray(image.convert("RGBA"))[..., 3].min() < 255:
            raise UserError(f"{where}: has transparent pixels; flatten it onto a background")
        if noticed is not None and channels == 1 and _has_colour(image):
            noticed.note(LUMA, where)
        converted = image.convert(MODES[channels])
        pixels = np.asarray(converted if crop is None else crop(converted))
    return pixels.reshape(pixels.shape[0], pixels.shape[1], channels)


def header(source: bytes, where: str, noticed: Noticed | None = None) -> Header:
    """Return what a picture's header states; only one with a palette is decoded.

    Raises: UserError as `decoded`, as far as the header tells.
    """
    with _opened(io.BytesIO(source), where) as image:
        if noticed is not None:
            _notice(image, source, where, noticed)
        # Grey pictures in a format of palettes alone (GIF) are grey; which colours a palette's pixels use, they tell.
        grey = image.mode in GREY or image.mode in ("P", "PA") and not _has_colour(image)
        return Header(image.height, image.width, grey)


def header_shape(source: bytes | IO[bytes], channels: int, where: str) -> tuple[int, int, int]:
    """Return the height and width that a picture's header states, and `channels`, without decoding it.

    Raises: UserError where it is not a picture that is read.
    """
    stream = io.BytesIO(source) if isinstance(source, bytes) else source
    with _opened(stream, where) as image:
        return image.height, image.width, channels


def require_shape(found: tuple[int, ...], shape: tuple[int, ...], where: str, expected_by: str) -> None:
    """Raise UserError, naming the picture, where the size found is not `shape`."""
    if found != shape:
        raise UserError(f"{where}: is {_spoken(found)}, but {expected_by} {_spoken(shape)}; all must be equal")


@contextmanager
def _opened(stream: IO[bytes], where: str) -> Iterator[Image.Image]:
    """Yield a picture, its header read; all that goes wrong with it is one line."""
    try:
        start = stream.read(26)
        stream.seek(0)
        with Image.open(stream, formats=tuple(FORMATS)) as image:
            _require_exact(image, start, where)
            yield image
    except UserError:
        raise
    # Decoders fail in many ways (OSError, SyntaxError, struct.error, ...), all of them a bad picture.
    except Exception as error:
        raise _unreadable(where, error) from error


def _require_exact(image: Image.Image, start: bytes, where: str) -> None:
    """Raise UserError where 8 bits a channel cannot show the picture: Pillow calls 16 bits of colour RGB as well."""
    if image.format == "PNG" and start[12:16] != b"IHDR":
        raise UserError(f"{where}: cannot be read as an image (a PNG that does not begin with its header); replace it")
    bits = _bits(image, start)
    if bits > 8:
        raise UserError(f"{where}: has more than 8 bits a channel (mode {image.mode}); convert it to 8 bits")
    if image.mode not in (*EXACT, "CMYK"):
        raise UserError(f"{where}: has the colours of mode {image.mode}, which are not converted; convert it to RGB")
    if image.format == "TIFF":
        tags = image.tag_v2  # type: ignore[attr-defined]
        if not set(_numbers(tags.get(SAMPLE_FORMAT, 1))) <= set(UNSIGNED):
            raise UserError(f"{where}: has values with a sign or a fraction; convert it to whole numbers of 8 bits")
        held, read = tags.get(SAMPLES_PER_PIXEL, 1), len(image.getbands())
        if held > read:
            raise UserError(f"{where}: has {held} channels, of which {read} would be read; keep only the colours")


def _bits(image: Image.Image, start: bytes) -> int:
    """Return the bits a channel that the file itself states, more than 8 where only Pillow's mode tells."""
    if image.mode.startswith(DEEP):
        return 16
    if image.format == "PNG":
        return start[24]
    if image.format == "TIFF":
        return max(_numbers(image.tag_v2.get(BITS_PER_SAMPLE, 1)))  # type: ignore[attr-defined]
    if image.format == "PPM":
        # Pillow scales pixels of another largest value than 255 by its decoder's second argument.
        arguments = image.tile[0][3]  # type: ignore[attr-defined]
        return arguments[1].bit_length() if isinstance(arguments, tuple) and isinstance(arguments[1], int) else 8
    return 8


def _numbers(tag: int | tuple[int, ...]) -> tuple[int, ...]:
    return tag if isinstance(tag, tuple) else (tag,)


def _notice(image: Image.Image, source: bytes, where: str, noticed: Noticed) -> None:
    """Count what a person must know of a picture that is read."""
    if image.mode == "CMYK":
        noticed.note(INKS, where)
    # A photograph of a phone may hold a second, smaller picture for other screens; its first one is what all show.
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        noticed.note(FRAMES, where)
    if _has_tags(image, source) and _orientation(image) in range(2, 9):
        noticed.note(TURNED, where)


def _has_colour(image: Image.Image) -> bool:
    """Return whether a pixel is not grey; pictures without colour are often stored with three channels."""
    if image.mode in GREY:
        return False
    pixels = np.asarray(image.convert("RGB"))
    return not (np.array_equal(pixels[..., 0], pixels[..., 1]) and np.array_equal(pixels[..., 1], pixels[..., 2]))


def _orientation(image: Image.Image) -> object:
    try:
        return image.getexif().get(ORIENTATION)
    # Tags that cannot be read, of which ImageNet has some, turn nothing; the pixels are whole.
    except Exception:
        return None


def _has_tags(image: Image.Image, source: bytes) -> bool:
    """Return whether a picture may hold an orientation that Pillow does not apply by itself, as it does a TIFF's."""
    if image.format == "PNG":
        # Tags may stand behind the pixels, and Pillow decodes these to look there.
        return any(word in source for word in (b"eXIf", b"Raw profile type", b"Orientation"))
    return image.format != "TIFF" and bool({"exif", "xmp"} & set(image.info))


def _unreadable(where: str, error: Exception) -> UserError:
    if isinstance(error, Image.UnidentifiedImageError):
        reason = f"it is none of {', '.join(FORMATS)}"
    else:
        # Pillow names the file, or the buffer in memory, a second time; keep the first words only.
        reason = " ".join(str(error).split()).split(" <_io")[0].split(" '")[0] or type(error).__name__
    return UserError(f"{where}: cannot be read as an image ({reason}); replace or remove it")


def _spoken(shape: tuple[int, ...]) -> str:
    height, width, channels = shape
    return f"{width}x{height}" + ("" if channels == 3 else f" with {channels} channel")
