"""Picture files to bytes. Pictures that 8 bits a channel cannot show exactly are refused."""

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
"""Pillow's names of the formats that are read, and the endings of their files: the formats of the papers' loaders, of
pytorch-fid, of clean-fid and of torchvision. Pillow would try all formats, and start Ghostscript for one."""

MODES = {1: "L", 3: "RGB"}
"""Pillow's names for the number of channels."""

EXACT = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBa", "La", "YCbCr")
"""Pillow's modes that become grey or RGB by a rule that leaves no choice. CMYK is read too, and reported."""

GREY = ("1", "L", "LA", "La")
"""Pillow's modes without colour."""

DEEP = ("I", "F")
"""Beginnings of the names of Pillow's modes with more than 8 bits. Pillow's own conversion cuts their values at 255."""

ORIENTATION = 0x0112
BITS_PER_SAMPLE, SAMPLES_PER_PIXEL, SAMPLE_FORMAT = 258, 277, 339
"""Tags of TIFF 6.0; EXIF has the first one too."""

UNSIGNED = (1, 4)
"""TIFF's sample formats that are read: whole numbers without a sign, and undefined (read as the same)."""

# Pillow itself refuses a picture of more than 179 million pixels; its warning from 89 million on tells nothing new.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
# Pillow warns of things in damaged files that are refused here in one line, or that change no pixel.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


@dataclass(frozen=True)
class Header:
    """What a picture's header says. grey: whether it has no colours."""

    height: int
    width: int
    grey: bool


def decoded(
    source: bytes, channels: int, where: str, crop: Crop | None = None, noticed: Noticed | None = None
) -> UInt8[np.ndarray, "height width channel"]:
    """Return a picture's first frame; grey becomes colour by repetition, colour becomes grey by Rec. 601 luma.

    where: the picture's name, for messages. crop: applied after the conversion, as the papers' code does. noticed:
    counts what a person must know of the picture. Orientation tags are ignored, as in the papers' code.
    Raises: UserError if it cannot be decoded, has more than 8 bits a channel, or has transparent pixels.
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
    """Return what a picture's header says. Only a picture with a palette is decoded for that.

    Raises: UserError for the same reasons as `decoded`, as far as the header tells.
    """
    with _opened(io.BytesIO(source), where) as image:
        if noticed is not None:
            _notice(image, source, where, noticed)
        # A grey picture in a format that only has palettes (GIF) is grey: its pixels tell which colours they use.
        grey = image.mode in GREY or image.mode in ("P", "PA") and not _has_colour(image)
        return Header(image.height, image.width, grey)


def header_shape(source: bytes | IO[bytes], channels: int, where: str) -> tuple[int, int, int]:
    """Return the height and width that a picture's header gives, and `channels`, without decoding the picture.

    Raises: UserError if it is not a picture that can be read.
    """
    stream = io.BytesIO(source) if isinstance(source, bytes) else source
    with _opened(stream, where) as image:
        return image.height, image.width, channels


def require_shape(found: tuple[int, ...], shape: tuple[int, ...], where: str, expected_by: str) -> None:
    """Raise UserError, naming the picture, if the size found is not `shape`."""
    if found != shape:
        raise UserError(f"{where}: is {_spoken(found)}, but {expected_by} {_spoken(shape)}; all must be equal")


@contextmanager
def _opened(stream: IO[bytes], where: str) -> Iterator[Image.Image]:
    """Yield a picture whose header has been read. Whatever goes wrong with it becomes one line."""
    try:
        start = stream.read(26)
        stream.seek(0)
        with Image.open(stream, formats=tuple(FORMATS)) as image:
            _require_exact(image, start, where)
            yield image
    except UserError:
        raise
    # Decoders fail in many ways (OSError, SyntaxError, struct.error, ...); each of them means a bad picture.
    except Exception as error:
        raise _unreadable(where, error) from error


def _require_exact(image: Image.Image, start: bytes, where: str) -> None:
    """Raise UserError if 8 bits a channel cannot show the picture. Pillow calls 16 bits of colour RGB as well."""
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
    """Return the bits a channel by the file itself; if only Pillow's mode tells, return a number above 8."""
    if image.mode.startswith(DEEP):
        return 16
    if image.format == "PNG":
        return start[24]
    if image.format == "TIFF":
        return max(_numbers(image.tag_v2.get(BITS_PER_SAMPLE, 1)))  # type: ignore[attr-defined]
    if image.format == "PPM":
        # If the largest value is not 255, Pillow scales the pixels; the second argument of its decoder is that value.
        arguments = image.tile[0][3]  # type: ignore[attr-defined]
        return arguments[1].bit_length() if isinstance(arguments, tuple) and isinstance(arguments[1], int) else 8
    return 8


def _numbers(tag: int | tuple[int, ...]) -> tuple[int, ...]:
    return tag if isinstance(tag, tuple) else (tag,)


def _notice(image: Image.Image, source: bytes, where: str, noticed: Noticed) -> None:
    """Count what a person must know of a picture that is read."""
    if image.mode == "CMYK":
        noticed.note(INKS, where)
        # A phone's photograph may hold a second, smaller picture for other screens. Everybody shows the first one.
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        noticed.note(FRAMES, where)
    if _has_tags(image, source) and _orientation(image) in range(2, 9):
        noticed.note(TURNED, where)


def _has_colour(image: Image.Image) -> bool:
    """Return whether a pixel is not grey. Pictures without colour are often stored with three channels."""
    if image.mode in GREY:
        return False
    pixels = np.asarray(image.convert("RGB"))
    return not (np.array_equal(pixels[..., 0], pixels[..., 1]) and np.array_equal(pixels[..., 1], pixels[..., 2]))


def _orientation(image: Image.Image) -> object:
    try:
        return image.getexif().get(ORIENTATION)
    # ImageNet has some tags that cannot be read. They turn nothing, and the pixels are whole.
    except Exception:
        return None


def _has_tags(image: Image.Image, source: bytes) -> bool:
    """Return whether a picture may hold an orientation that Pillow does not apply by itself (it applies a TIFF's)."""
    if image.format == "PNG":
        # Tags may come after the pixels, and Pillow would decode all pixels to look there.
        return any(word in source for word in (b"eXIf", b"Raw profile type", b"Orientation"))
    return image.format != "TIFF" and bool({"exif", "xmp"} & set(image.info))


def _unreadable(where: str, error: Exception) -> UserError:
    if isinstance(error, Image.UnidentifiedImageError):
        reason = f"it is none of {', '.join(FORMATS)}"
    else:
        # Pillow names the file, or the buffer in memory, a second time; only the first words are kept.
        reason = " ".join(str(error).split()).split(" <_io")[0].split(" '")[0] or type(error).__name__
    return UserError(f"{where}: cannot be read as an image ({reason}); replace or remove it")


def _spoken(shape: tuple[int, ...]) -> str:
    height, width, channels = shape
    return f"{width}x{height}" + ("" if channels == 3 else f" with {channels} channel")
