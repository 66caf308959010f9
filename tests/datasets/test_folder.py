"""Folders of images: classes, splits, order, and every way in which a picture may not fit."""

import zipfile

import numpy as np
import pytest
from PIL import Image

from diffbench.base.errors import UserError
from diffbench.datasets.folder import Folder


def save(path, value, *, size=(6, 5), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, (value,) * len(Image.new(mode, (1, 1)).getbands()) if mode != "I;16" else value).save(path)


def pixels_of(split):
    return np.concatenate(list(split.chunks))


@pytest.fixture
def flat(tmp_path):
    """Return a folder of ten pictures, each of one grey of its own."""
    suffixes = ("png", "bmp", "tiff", "webp", "PNG")
    for value in range(10):
        save(tmp_path / f"{value}.{suffixes[value % 5]}", value * 20)
    (tmp_path / "notes.txt").write_text("left alone")
    return tmp_path


def test_seeded_split_covers_all_pictures_once(flat):
    folder = Folder(str(flat), test_fraction=0.3)
    train, test = folder.open("train"), folder.open("test")
    assert (train.num_images, test.num_images, train.shape) == (7, 3, (5, 6, 3))
    assert train.labels is None and folder.num_classes is None
    train_values, test_values = pixels_of(train)[:, 0, 0, 0], pixels_of(test)[:, 0, 0, 0]
    # webp is lossy here, so by one level.
    np.testing.assert_allclose(sorted([*train_values, *test_values]), np.arange(10) * 20, atol=2)
    np.testing.assert_array_equal(pixels_of(folder.open("test"))[:, 0, 0, 0], test_values)
    assert not np.array_equal(
        pixels_of(Folder(str(flat), test_fraction=0.3, seed=1).open("train"))[:, 0, 0, 0], train_values
    )


def test_classes_are_sorted_subfolders(tmp_path):
    for split in ("train", "test"):
        for index, name in enumerate(("cat", "ant", "bee")):
            save(tmp_path / split / name / "deeper" / "a.png", index)
            save(tmp_path / split / name / "b.jpg", index)
    folder = Folder(str(tmp_path), channels=1)
    split = folder.open("test")
    assert folder.num_classes == 3 and split.shape == (5, 6, 1)
    by_value = {0: "cat", 1: "ant", 2: "bee"}
    names = [sorted(by_value.values())[label] for label in split.labels]
    assert names == [by_value[value] for value in pixels_of(split)[:, 0, 0, 0]]
    assert sorted(split.labels) == [0, 0, 1, 1, 2, 2]


def spoil_size(folder):
    save(folder / "4.webp", 1, size=(6, 6))
    (folder / "4.PNG").unlink()


def spoil_bytes(folder):
    (folder / "3.webp").write_bytes((folder / "3.webp").read_bytes()[:20])


def spoil_end(folder):
    noise = np.random.default_rng(0).integers(0, 256, (5, 6, 3), np.uint8)
    Image.fromarray(noise).save(folder / "0.png")
    (folder / "0.png").write_bytes((folder / "0.png").read_bytes()[:70])


def spoil_depth(folder):
    save(folder / "0.png", 40_000, mode="I;16")


def spoil_alpha(folder):
    save(folder / "0.png", 40, mode="RGBA")


def spoil_layout(folder):
    save(folder / "class" / "1.png", 40)


def spoil_all(folder):
    for file in folder.iterdir():
        file.unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_size, r"4.webp: is 6x6, but .* is 6x5; all must be equal"),
        (spoil_bytes, r"3.webp: cannot be read as an image \(.*\); replace or remove it"),
        (spoil_end, r"0.png: cannot be read as an image"),
        (spoil_depth, r"0.png: has more than 8 bits a channel"),
        (spoil_alpha, r"0.png: has transparent pixels"),
        (spoil_layout, r"0.png: lies beside class folders"),
        (spoil_all, r"no pictures for 'train' \(0 in all"),
    ],
)
def test_what_does_not_fit_is_named(flat, spoil, message):
    spoil(flat)
    folder = Folder(str(flat), test_fraction=0.3)
    with pytest.raises(UserError, match=message) as caught:
        pixels_of(folder.open("train"))
        pixels_of(folder.open("test"))
    assert "\n" not in str(caught.value)


def test_layouts_that_leave_the_split_open(flat):
    with pytest.raises(UserError, match="no folders train and test; make them, or set test_fraction"):
        Folder(str(flat)).open("train")
    with pytest.raises(UserError, match="no pictures for 'test'"):
        Folder(str(flat), test_fraction=0.01).open("test")
    (flat / "train").mkdir()
    with pytest.raises(UserError, match="holds train but not the other"):
        Folder(str(flat)).open("train")
    (flat / "test").mkdir()
    with pytest.raises(UserError, match="test_fraction has no effect"):
        Folder(str(flat), test_fraction=0.5).open("train")
    with pytest.raises(UserError, match="no pictures for 'train'"):
        Folder(str(flat)).open("train")
    save(flat / "train" / "cat" / "a.png", 1)
    save(flat / "test" / "dog" / "a.png", 1)
    with pytest.raises(UserError, match="has class 'dog', unlike"):
        Folder(str(flat)).open("train")
    with pytest.raises(UserError, match="nowhere: no such folder"):
        Folder(str(flat / "nowhere")).open("train")


@pytest.mark.parametrize(
    ("options", "message"), [({"channels": 2}, "channels: 2"), ({"test_fraction": 1.5}, "between 0 and 1")]
)
def test_options_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        Folder("x", **options)


def test_pictures_of_many_sizes_are_cropped_where_a_size_is_given(tmp_path):
    for index in range(4):
        save(tmp_path / f"{index}.png", 40 * index, size=(9 + index, 20))
    split = Folder(str(tmp_path), size=8, test_fraction=0.5).open("train")
    assert split.shape == (8, 8, 3) and pixels_of(split).shape == (2, 8, 8, 3)


def test_a_zip_archive_is_read_as_the_folder_in_it(flat, tmp_path_factory):
    archive = tmp_path_factory.mktemp("zip") / "pictures.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for picture in flat.iterdir():
            file.write(picture, f"pictures/{picture.name}")
    for split in ("train", "test"):
        opened = (Folder(str(path), test_fraction=0.3).open(split) for path in (flat, archive))
        np.testing.assert_array_equal(*map(pixels_of, opened))


def test_a_picture_that_an_archive_cannot_unpack_is_named(flat, tmp_path_factory):
    archive = tmp_path_factory.mktemp("zip") / "pictures.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(flat.iterdir()):
            file.write(path, path.name)
        first = file.infolist()[0]
    content = bytearray(archive.read_bytes())
    begin = first.header_offset + 30 + len(first.filename)
    content[begin : begin + 8] = b"\xff" * 8
    archive.write_bytes(bytes(content))
    with pytest.raises(UserError, match=f"{first.filename}: cannot be read"):
        list(Folder(str(archive), test_fraction=0.5).open("train").chunks)
        list(Folder(str(archive), test_fraction=0.5).open("test").chunks)
