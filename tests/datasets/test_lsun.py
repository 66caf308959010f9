"""LSUN's LMDB databases, made here with pictures of their kind."""

import io

import lmdb
import numpy as np
import pytest
from PIL import Image

from diffbench.base.errors import UserError
from diffbench.datasets.lsun import Lsun


def write_database(path, pictures):
    path.mkdir(parents=True)
    with lmdb.open(str(path), map_size=2**24) as database, database.begin(write=True) as transaction:
        for i, pixels in enumerate(pictures):
            stream = io.BytesIO()
            Image.fromarray(pixels).save(stream, "WEBP", lossless=True)
            transaction.put(f"{i:03d}".encode(), stream.getvalue())


@pytest.fixture
def lsun(tmp_path):
    draws = np.random.default_rng(0)
    pictures = [draws.integers(0, 256, (32, 32 + 9 * i, 3), np.uint8) for i in range(3)]
    write_database(tmp_path / "bedroom_train_lmdb", pictures)
    write_database(tmp_path / "bedroom_val_lmdb", pictures[:2])
    return tmp_path, pictures


def test_pictures_are_shrunk_by_a_box_and_cropped(lsun):
    path, pictures = lsun
    data = Lsun(str(path), size=16)
    train, test = data.open("train"), data.open("test")
    assert (train.num_images, test.num_images, train.shape) == (3, 2, (16, 16, 3)) and train.labels is None
    pixels = np.concatenate(list(train.chunks))
    # A square of twice the size: every pixel is the mean of four, rounded once along each axis.
    means = pictures[0].reshape(16, 2, 16, 2, 3).mean(axis=(1, 3))
    assert np.abs(pixels[0] - means).max() <= 1
    assert pixels.shape == (3, 16, 16, 3)


def test_a_database_that_is_missing_or_damaged_is_named(lsun):
    path, _ = lsun
    with pytest.raises(UserError, match="church_train_lmdb: no such LMDB database"):
        Lsun(str(path), category="church").open("train")
    (path / "bedroom_val_lmdb" / "data.mdb").write_bytes(b"no database" * 1000)
    with pytest.raises(UserError, match=r"bedroom_val_lmdb: cannot be read as LMDB \("):
        Lsun(str(path)).open("test")
    write_database(path / "cat_train_lmdb", [])
    with lmdb.open(str(path / "cat_train_lmdb")) as database, database.begin(write=True) as transaction:
        transaction.put(b"000", b"no picture")
    with pytest.raises(UserError, match="cat_train_lmdb: 000: cannot be read as an image"):
        list(Lsun(str(path), category="cat").open("train").chunks)


def test_a_database_that_holds_fewer_than_it_says_is_refused(lsun):
    path, _ = lsun
    file = path / "bedroom_train_lmdb" / "data.mdb"
    content = file.read_bytes()
    # Both pages of the header hold the count, 8 bytes; the later one is read.
    for place in range(0, 8192, 8):
        if content[place : place + 8] == (3).to_bytes(8, "little") and place % 4096 > 100:
            content = content[:place] + (4).to_bytes(8, "little") + content[place + 8 :]
    file.write_bytes(content)
    train = Lsun(str(path), size=16).open("train")
    assert train.num_images == 4
    with pytest.raises(UserError, match="bedroom_train_lmdb: holds 3 pictures, and says 4; fetch it again"):
        list(train.chunks)


def test_what_was_noticed_is_said(tmp_path):
    write_database(tmp_path / "bedroom_train_lmdb", [])
    stream = io.BytesIO()
    Image.new("CMYK", (9, 9)).save(stream, "JPEG")
    folder = tmp_path / "bedroom_train_lmdb"
    with lmdb.open(str(folder), map_size=2**24) as database, database.begin(write=True) as transaction:
        transaction.put(b"000", stream.getvalue())
    train = Lsun(str(tmp_path), size=8).open("train")
    list(train.chunks)
    assert train.summary() == "1 picture; 1 in CMYK, converted without a colour profile"
