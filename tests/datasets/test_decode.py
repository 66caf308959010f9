"""Pictures of every kind to bytes: known pixels, and one line for what 8 bits a channel cannot show."""

import io
import os
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from diffbench.base.errors import UserError
from diffbench.datasets._decode import FORMATS, decoded, header, header_shape
from diffbench.datasets._noticed import Noticed


def png_of(samples, depth, colour):
    """Return a PNG of a bit depth and colour type that Pillow does not write; samples: (height, width, channel)."""
    height, width = samples.shape[:2]
    rows = samples.astype(">u2" if depth == 16 else ">u1").reshape(height, -1)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def tiff_of(samples, photometric, *, sample_format=1, order="<", extra=None):
    """Return an uncompressed TIFF of whole-number samples; extra: the tag ExtraSamples."""
    height, width, count = samples.shape
    bits = samples.dtype.itemsize * 8
    data = samples.astype(samples.dtype.newbyteorder(order)).tobytes()
    tags = [
        (256, 3, [width]), (257, 3, [height]), (258, 3, [bits] * count), (259, 3, [1]), (262, 3, [photometric]),
        (273, 4, [8]), (277, 3, [count]), (278, 3, [height]), (279, 4, [len(data)]), (339, 3, [sample_format] * count),
    ]  # fmt: skip
    if extra is not None:
        tags.append((338, 3, [extra]))
    begin = 8 + len(data) + len(data) % 2
    behind = begin + 2 + 12 * len(tags) + 4
    entries, more = b"", b""
    for tag, kind, values in sorted(tags):
        packed = struct.pack(order + {3: "H", 4: "I"}[kind] * len(values), *values)
        if len(packed) > 4:
            place, more = struct.pack(order + "I", behind + len(more)), more + packed
        else:
            place = packed.ljust(4, b"\0")
        entries += struct.pack(order + "HHI", tag, kind, len(values)) + place
    magic = b"II*\0" if order == "<" else b"MM\0*"
    directory = struct.pack(order + "H", len(tags)) + entries + struct.pack(order + "I", 0)
    return magic + struct.pack(order + "I", begin) + data.ljust(begin - 8, b"\0") + directory + more


def ppm_of(magic, largest, samples):
    height, width = samples.shape[:2]
    plain = b" ".join(b"%d" % value for value in samples.ravel())
    body = plain if magic in (b"P2", b"P3") else samples.astype(">u2" if largest > 255 else ">u1").tobytes()
    return b"%s\n# a comment of 300\n%d %d\n%d\n" % (magic, width, height, largest) + body


def saved(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


DRAWS = np.random.default_rng(0).integers(0, 4096, (3, 4, 4), np.uint16)
DEEP = {
    "grey PNG": png_of(DRAWS[..., :1], 16, 0),
    "colour PNG": png_of(DRAWS[..., :3], 16, 2),
    "grey PNG with alpha": png_of(DRAWS[..., :2] | 0xFFF0, 16, 4),
    "colour PNG with alpha": png_of(DRAWS | 0xFFF0, 16, 6),
    "grey TIFF": tiff_of(DRAWS[..., :1], 1),
    "grey TIFF, big-endian": tiff_of(DRAWS[..., :1], 1, order=">"),
    "colour TIFF": tiff_of(DRAWS[..., :3], 2),
    "colour TIFF, big-endian": tiff_of(DRAWS[..., :3], 2, order=">"),
    "CMYK TIFF": tiff_of(DRAWS, 5),
    "32-bit TIFF": tiff_of(DRAWS[..., :1].astype(np.uint32), 1),
    "float TIFF": saved(Image.fromarray(DRAWS[..., 0].astype(np.float32)), "TIFF"),
    "binary PGM": ppm_of(b"P5", 4095, DRAWS[..., :1]),
    "binary PGM of all 16 bits": ppm_of(b"P5", 65535, DRAWS[..., :1]),
    "binary PPM": ppm_of(b"P6", 4095, DRAWS[..., :3]),
    "plain PGM": ppm_of(b"P2", 256, DRAWS[..., :1] % 257),
    "plain PPM": ppm_of(b"P3", 65535, DRAWS[..., :3]),
    "float PFM": b"Pf\n2 2\n-1.0\n" + np.zeros(4, "<f4").tobytes(),
}


@pytest.mark.parametrize("name", DEEP)
@pytest.mark.parametrize("channels", [1, 3])
def test_more_than_8_bits_a_channel_is_refused_in_any_format(name, channels):
    for read in (lambda: decoded(DEEP[name], channels, "x"), lambda: header_shape(DEEP[name], channels, "x")):
        with pytest.raises(UserError, match=r"^x: has more than 8 bits a channel \(mode .+\); convert it to 8 bits$"):
            read()


COLOURS = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [10, 200, 90]]], np.uint8)
GREYS = np.array([[0, 255], [85, 170]], np.uint8)


def palette(transparency=None):
    image = Image.new("P", (2, 2))
    image.putpalette(COLOURS.reshape(-1).tolist())
    image.putdata([0, 1, 2, 3])
    return saved(image, "PNG", **({} if transparency is None else {"transparency": transparency}))


EXACT = {
    "RGB PNG": (png_of(COLOURS, 8, 2), COLOURS),
    "RGB TIFF": (tiff_of(COLOURS, 2), COLOURS),
    "RGB TIFF, big-endian": (tiff_of(COLOURS, 2, order=">"), COLOURS),
    "RGB BMP": (saved(Image.fromarray(COLOURS), "BMP"), COLOURS),
    "RGB PPM": (ppm_of(b"P6", 255, COLOURS), COLOURS),
    "plain PPM": (ppm_of(b"P3", 255, COLOURS), COLOURS),
    "lossless WebP": (saved(Image.fromarray(COLOURS), "WEBP", lossless=True), COLOURS),
    "palette PNG": (palette(), COLOURS),
    "palette PNG, all opaque": (palette(b"\xff\xff\xff\xff"), COLOURS),
    "palette GIF": (saved(Image.fromarray(COLOURS).quantize(4), "GIF"), COLOURS),
    "opaque RGBA": (saved(Image.fromarray(np.dstack([COLOURS, np.full((2, 2), 255, np.uint8)])), "PNG"), COLOURS),
    "grey PNG": (png_of(GREYS[..., None], 8, 0), np.repeat(GREYS[..., None], 3, 2)),
    "grey PNG of 2 bits": (saved(Image.fromarray(GREYS).quantize(4), "PNG", bits=2), np.repeat(GREYS[..., None], 3, 2)),
    "opaque grey and alpha": (
        png_of(np.dstack([GREYS, np.full((2, 2), 255, np.uint8)]), 8, 4),
        np.repeat(GREYS[..., None], 3, 2),
    ),
    "white is zero": (tiff_of(255 - GREYS[..., None], 0), np.repeat(GREYS[..., None], 3, 2)),
    "PGM of 16 greys": (ppm_of(b"P5", 15, GREYS[..., None] // 17), np.repeat(GREYS[..., None], 3, 2)),
    "1 bit": (
        saved(Image.fromarray(GREYS > 100), "PNG"),
        np.repeat(np.where(GREYS > 100, 255, 0).astype(np.uint8)[..., None], 3, 2),
    ),
    "1 bit TIFF": (
        saved(Image.fromarray(GREYS > 100), "TIFF", compression="group4"),
        np.repeat(np.where(GREYS > 100, 255, 0).astype(np.uint8)[..., None], 3, 2),
    ),
    "PBM": (b"P1\n2 2\n1 0\n1 0\n", np.repeat(np.array([[0, 255], [0, 255]], np.uint8)[..., None], 3, 2)),
}


@pytest.mark.parametrize("name", EXACT)
def test_what_8_bits_can_show_has_its_own_pixels(name):
    content, pixels = EXACT[name]
    assert np.array_equal(decoded(content, 3, "x"), pixels)
    red, green, blue = np.moveaxis(pixels.astype(np.int64), -1, 0)
    luma = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16  # Rec. 601, as Pillow rounds it
    assert np.array_equal(decoded(content, 1, "x")[..., 0], luma)
    found = header(content, "x")
    assert (found.height, found.width) == (2, 2)
    assert not found.grey or np.array_equal(red, green)


def lab():
    return saved(Image.new("LAB", (2, 2), (50, 128, 128)), "TIFF")


REFUSED = {
    "transparent palette": (palette(b"\xff\x00\xff\xff"), "has transparent pixels"),
    "transparent colour": (saved(Image.fromarray(COLOURS), "PNG", transparency=(0, 255, 0)), "has transparent pixels"),
    "transparent grey": (saved(Image.fromarray(GREYS), "PNG", transparency=85), "has transparent pixels"),
    "half transparent": (saved(Image.new("RGBA", (2, 2), (9, 9, 9, 254)), "PNG"), "has transparent pixels"),
    "LAB": (lab(), "has the colours of mode LAB, which are not converted"),
    "signed TIFF": (tiff_of(GREYS[..., None], 1, sample_format=2), "has values with a sign or a fraction"),
    "RGB and infrared": (tiff_of(np.dstack([COLOURS, GREYS]), 2, extra=0), "has 4 channels, of which 3 would be read"),
    "PostScript": (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n",
        "it is none of BMP, GIF",
    ),
    "icon": (saved(Image.fromarray(COLOURS), "ICO", sizes=[(2, 2)]), "it is none of BMP, GIF"),
    "empty": (b"", "it is none of BMP, GIF"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_shown_is_one_line(name):
    content, message = REFUSED[name]
    with pytest.raises(UserError, match=f"^x: .*{message}") as caught:
        decoded(content, 3, "x")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_cut_short_is_one_line_and_never_other_pixels(kind):
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 24, 3), np.uint8))
    whole = saved(picture.quantize(64) if kind == "GIF" else picture, kind)
    pixels, refused = decoded(whole, 3, "x"), 0
    for length in {*range(0, len(whole), max(1, len(whole) // 60)), *range(len(whole) - 30, len(whole))}:
        # Only what stands behind the pixels may be missing.
        try:
            assert np.array_equal(decoded(whole[:length], 3, "x"), pixels)
        except UserError as error:
            assert str(error).startswith("x: cannot be read as an image") and "\n" not in str(error)
            refused += 1
    assert refused > 40


def test_ghostscript_is_not_started(tmp_path, monkeypatch):
    (tmp_path / "gs").write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    (tmp_path / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(UserError, match="it is none of"):
        decoded(REFUSED["PostScript"][0], 3, "x")
    assert not (tmp_path / "started").exists()


def test_a_bomb_is_one_line_and_a_large_picture_no_warning(tmp_path):
    bomb = Image.new("1", (20_000, 20_000))
    bomb.save(tmp_path / "bomb.png")
    code = (
        "import sys; from pathlib import Path; from diffbench.base.errors import UserError\n"
        "from diffbench.datasets._decode import decoded, header_shape\n"
        "try: decoded(Path(sys.argv[1]).read_bytes(), 1, 'x')\n"
        "except UserError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "bomb.png"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("x: cannot be read as an image (Image size (400000000 pixels) exceeds limit")
    Image.new("1", (10_000, 9_000)).save(tmp_path / "large.png")
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "large.png"], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def turned(kind, picture, orientation=6):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(picture, kind, exif=exif)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_an_orientation_tag_is_counted_once_and_not_applied(kind):
    picture = Image.fromarray(np.arange(64 * 3, dtype=np.uint8).reshape(8, 8, 3)).resize((8, 6))
    noticed = Noticed()
    content = turned(kind, picture)
    for _ in range(2):
        assert decoded(content, 3, "a", noticed=noticed).shape == (6, 8, 3)
        header(content, "a", noticed)
    decoded(turned(kind, picture, 1), 3, "b", noticed=noticed)
    decoded(saved(picture, kind), 3, "c", noticed=noticed)
    assert noticed.notes() == ["1 turned by an orientation tag, which is not applied"]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_tiff_is_turned_upright_and_its_header_says_so(orientation):
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
    upright = {
        1: pixels, 2: pixels[:, ::-1], 3: pixels[::-1, ::-1], 4: pixels[::-1],
        5: pixels.T, 6: np.rot90(pixels, -1), 7: pixels[::-1, ::-1].T, 8: np.rot90(pixels),
    }[orientation]  # fmt: skip
    content = saved(Image.fromarray(pixels), "TIFF", tiffinfo={274: orientation})
    noticed = Noticed()
    assert np.array_equal(decoded(content, 1, "x", noticed=noticed)[..., 0], upright)
    assert header_shape(content, 1, "x") == (*upright.shape, 1) and noticed.notes() == []


def test_cmyk_becomes_rgb_without_a_profile_and_is_counted():
    inks = Image.new("CMYK", (2, 2))
    inks.putdata([(0, 0, 0, 0), (255, 0, 0, 0), (0, 100, 0, 50), (0, 0, 0, 255)])
    noticed = Noticed()
    pixels = decoded(saved(inks, "TIFF"), 3, "a", noticed=noticed)
    # 255 - K, less its share C / 255, M / 255, Y / 255.
    assert pixels.reshape(-1, 3).tolist() == [[255, 255, 255], [0, 255, 255], [205, 125, 205], [0, 0, 0]]
    assert noticed.notes() == ["1 in CMYK, converted without a colour profile"]


def test_colour_that_becomes_grey_is_counted_and_grey_in_three_channels_is_not():
    noticed = Noticed()
    for where, content in {
        "colour": png_of(COLOURS, 8, 2),
        "palette": palette(),
        "grey": png_of(GREYS[..., None], 8, 0),
        "three channels": png_of(np.repeat(GREYS[..., None], 3, 2), 8, 2),
        "grey palette": saved(Image.fromarray(GREYS).quantize(4), "PNG"),
    }.items():
        decoded(content, 1, where, noticed=noticed)
        decoded(content, 3, where, noticed=noticed)
    assert noticed.notes() == ["2 in colour, reduced to their luma"]


@pytest.mark.parametrize("kind", ["GIF", "PNG", "BMP", "TIFF"])
def test_a_palette_of_greys_is_grey(kind):
    image = Image.fromarray(GREYS).convert("P")
    assert header(saved(image, kind), "x").grey
    palette = [255, 0, 0] + [value for grey in range(1, 256) for value in (grey,) * 3]
    image.putpalette(palette)  # only the pixel of 0 is red now
    assert not header(saved(image, kind), "x").grey
    image.paste(7, (0, 0, 2, 2))
    assert header(saved(image, kind), "x").grey


def test_a_moving_picture_is_its_first_frame_and_is_counted():
    frames = [Image.new("P", (4, 4), index) for index in range(3)]
    for frame in frames:
        frame.putpalette([200, 0, 0, 0, 200, 0, 0, 0, 200])
    for kind in ("GIF", "TIFF", "PNG"):
        noticed = Noticed()
        content = saved(frames[0], kind, save_all=True, append_images=frames[1:])
        assert (decoded(content, 3, "a", noticed=noticed) == [200, 0, 0]).all()
        assert noticed.notes() == ["1 with several frames, of which the first is read"]


def test_text_in_a_png_is_not_taken_for_an_orientation():
    text = PngImagePlugin.PngInfo()
    text.add_text("comment", "Orientation 6, eXIf")
    noticed = Noticed()
    decoded(saved(Image.fromarray(COLOURS), "PNG", pnginfo=text), 3, "a", noticed=noticed)
    assert noticed.notes() == []


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize(
    "tags", [b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\0\x09\x01\x12", b"II"]
)
def test_tags_that_cannot_be_read_are_no_reason_to_refuse(kind, tags):
    noticed = Noticed()
    content = saved(Image.fromarray(COLOURS), kind, exif=tags)
    assert decoded(content, 3, "a", noticed=noticed).shape == (2, 2, 3)
    assert header(content, "a", noticed).height == 2
    assert noticed.notes() == []
