"""Random bytes instead of a picture or an archive: they give pixels or one line with the name, but no other exception."""

import io
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from diffbench.base.errors import UserError
from diffbench.datasets._decode import FORMATS, decoded, header, header_shape
from diffbench.datasets._noticed import Noticed
from diffbench.datasets._pictures import PictureTree
from diffbench.datasets.folder import Folder

DAMAGE = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=4)
"""Places in a file, as shares of its length, and the bytes that are put there."""


def damaged(whole, places, length):
    """Return a file with bytes replaced, near its beginning more often than at its end, and cut at a share."""
    content = bytearray(whole[: max(1, int(len(whole) * length))])
    for place, value in places:
        content[int(place**3 * len(content))] = value
    return bytes(content)


def encoded(kind):
    pixels = np.random.default_rng(0).integers(0, 256, (12, 9, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    stream, image = io.BytesIO(), Image.fromarray(pixels)
    options = {"exif": exif} if kind in ("JPEG", "PNG", "WEBP", "TIFF") else {}
    (image.quantize(16) if kind == "GIF" else image).save(stream, kind, **options)
    return stream.getvalue()


WHOLE = {kind: encoded(kind) for kind in FORMATS}


def one_line(call):
    """Return the result of a call; None if it ends with one line that names `x`."""
    try:
        return call()
    except UserError as error:
        assert "x" in str(error) and "\n" not in str(error)
        return None


@settings(max_examples=60, deadline=None)
@given(places=DAMAGE, length=st.sampled_from([1.0, 1.0, 1.0, 0.9, 0.5]))
@pytest.mark.parametrize("kind", FORMATS)
def test_a_damaged_picture(kind, places, length):
    content = damaged(WHOLE[kind], places, length)
    pixels = one_line(lambda: decoded(content, 3, "x", noticed=Noticed()))
    assert pixels is None or (pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3)
    found = one_line(lambda: header(content, "x", Noticed()))
    shape = one_line(lambda: header_shape(content, 3, "x"))
    # A picture with a palette is decoded for its colours, so that more is found.
    assert (found is None) == (shape is None) or found is None and kind in ("GIF", "PNG", "BMP", "TIFF")
    assert pixels is None or pixels.shape == shape


@settings(max_examples=60, deadline=None)
@given(
    content=st.binary(max_size=200),
    magic=st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"BM", b"GIF89a", b"P6 ", b"II*\0", b"RIFF"]),
)
def test_any_bytes(content, magic):
    one_line(lambda: decoded(magic + content, 1, "x", noticed=Noticed()))


def whole_archive():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
        for k in range(3):
            file.writestr(f"x/{k}.png", WHOLE["PNG"])
        file.writestr("dataset.json", '{"labels": [["x/0.png", 0], ["x/1.png", 1], ["x/2.png", 0]]}')
    return stream.getvalue()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(places=DAMAGE, from_the_end=st.booleans())
def test_a_damaged_archive(tmp_path, places, from_the_end):
    whole = whole_archive()
    content = damaged(whole[::-1], places, 1.0)[::-1] if from_the_end else damaged(whole, places, 1.0)
    path = tmp_path / "x.zip"
    path.write_bytes(content)
    tree = one_line(lambda: PictureTree(path))
    if tree is not None:
        one_line(lambda: np.concatenate([*tree.chunks(tree.pictures, 3, None), np.zeros((0, 12, 9, 3), np.uint8)]))
        one_line(tree.summary)
    one_line(lambda: list(Folder(str(path), test_fraction=0.4, size=4).open("train").chunks))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.one_of(st.text(max_size=40), st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["labels", "x"]), inner, max_size=2),
).map(repr)))  # fmt: skip
def test_any_labels_of_a_json(tmp_path, text):
    folder = tmp_path / "x"
    folder.mkdir(exist_ok=True)
    for k in range(3):
        (folder / f"{k}.png").write_bytes(WHOLE["PNG"])
    (folder / "dataset.json").write_text(text.replace("'", '"').replace("None", "null"))
    one_line(lambda: Folder(str(folder), test_fraction=0.4).open("train"))
