"""ImageNet's layouts on pictures made here: folders, a zip archive, parquet, and what does not fit."""

import zipfile

import numpy as np
import pytest
from PIL import Image

from diffbench.base.errors import UserError
from diffbench.datasets.imagenet import Imagenet


@pytest.fixture
def layout(tmp_path):
    """Three classes of pictures of many sizes, each class of one grey."""
    root = tmp_path / "imagenet"
    for split, count in (("train", 4), ("val", 2)):
        for grey, name in ((10, "n02"), (20, "n01"), (30, "n03")):
            folder = root / split / name
            folder.mkdir(parents=True)
            for i in range(count):
                Image.new("RGB", (20 + 7 * i, 31 - i), (grey + i,) * 3).save(folder / f"{name}_{i}.png")
    return root


def pixels_of(split):
    return np.concatenate(list(split.chunks))


def check(path):
    data = Imagenet(str(path), size=8, num_classes=3)
    train, test = data.open("train"), data.open("test")
    assert (train.num_images, test.num_images) == (12, 6) and train.shape == test.shape == data.shape == (8, 8, 3)
    pixels = pixels_of(train)
    assert pixels.shape == (12, 8, 8, 3)
    # Classes are numbered by sorted name: n01 is grey 20, n02 is 10, n03 is 30.
    assert [{0: 20, 1: 10, 2: 30}[label] for label in train.labels] == [grey // 10 * 10 for grey in pixels[:, 0, 0, 0]]
    assert len(set(train.labels[:4])) > 1, "in an order drawn at random, not class by class"
    return pixels


def test_folders_and_zip_archives_hold_the_same(layout, tmp_path):
    pixels = check(layout)
    for inside in ("", "imagenet/"):
        archive = tmp_path / f"{len(inside)}.zip"
        with zipfile.ZipFile(archive, "w") as file:
            for picture in sorted(layout.rglob("*.png")):
                file.write(picture, inside + picture.relative_to(layout).as_posix())
            file.writestr("__MACOSX/._x.png", b"left alone")
        assert np.array_equal(check(archive), pixels)


def test_parquet_parts_as_the_hub_names_them(tmp_path, write_parquet, png):
    draws = np.random.default_rng(0)
    pictures = [draws.integers(0, 256, (9 + i, 14, 3), np.uint8) for i in range(6)]
    for split, start in (("train", 0), ("validation", 3)):
        part = tmp_path / f"{split}-00000-of-00001.parquet"
        write_parquet(part, [png(picture) for picture in pictures[start : start + 3]], [2, 0, 1])
    data = Imagenet(str(tmp_path), size=8, num_classes=3)
    assert data.open("train").labels.tolist() == [2, 0, 1]
    assert pixels_of(data.open("test")).shape == (3, 8, 8, 3)


def test_any_picture_of_any_row_group_can_be_cut_again(tmp_path, write_parquet, png):
    draws = np.random.default_rng(0)
    pictures = [draws.integers(0, 256, (9 + i, 14, 3), np.uint8) for i in range(8)]
    for part, chosen in enumerate((pictures[:5], pictures[5:])):
        path = tmp_path / f"train-{part:05d}-of-00002.parquet"
        write_parquet(path, [png(picture) for picture in chosen], [0] * len(chosen), rows=2)
    split = Imagenet(str(tmp_path), size=8, num_classes=1).open("train")
    for k, picture in enumerate(pictures):
        assert np.array_equal(split.cut(k, lambda image: image), picture)


def test_a_row_without_a_picture_is_named_when_it_is_cut(tmp_path, write_parquet, png):
    path = tmp_path / "train-00000-of-00001.parquet"
    write_parquet(path, [png(np.zeros((9, 9, 3), np.uint8))] * 3 + [b"broken"], [0] * 4, rows=2)
    split = Imagenet(str(tmp_path), size=8, num_classes=1).open("train")
    with pytest.raises(UserError, match=r"00001.parquet: row 3 \(3.png\): cannot be read as an image"):
        split.cut(3, lambda image: image)


def test_what_does_not_fit_is_named(layout, tmp_path):
    with pytest.raises(UserError, match="pictures in 3 class folders, 1000 are wanted"):
        Imagenet(str(layout), size=8).open("train")
    with pytest.raises(UserError, match="nowhere: no such folder"):
        Imagenet(str(layout / "nowhere")).open("train")
    with pytest.raises(UserError, match="no folder train, nor parquet files"):
        Imagenet(str(layout / "val")).open("train")
    (tmp_path / "broken.zip").write_bytes(b"PK")
    with pytest.raises(UserError, match=r"broken.zip: neither a folder nor a zip archive"):
        Imagenet(str(tmp_path / "broken.zip")).open("train")
    with pytest.raises(ValueError, match="must be positive"):
        Imagenet("x", size=0)


def write_classes(root, split, names):
    for grey, name in enumerate(names):
        (root / split / name).mkdir(parents=True)
        Image.new("RGB", (9, 9), (grey,) * 3).save(root / split / name / "a.png")


@pytest.mark.parametrize("zipped", [False, True])
def test_splits_with_other_class_names_are_refused(tmp_path, zipped):
    root = tmp_path / "in"
    write_classes(root, "train", [f"n{100 + k}" for k in range(12)])
    write_classes(root, "val", [str(k) for k in range(12)])
    if zipped:
        root = tmp_path / "a.zip"
        with zipfile.ZipFile(root, "w") as file:
            for picture in (tmp_path / "in").rglob("*.png"):
                file.write(picture, picture.relative_to(tmp_path).as_posix())
    for split in ("train", "test"):
        with pytest.raises(UserError, match=r"/val: has class '0', unlike .*/train; classes are numbered by name"):
            Imagenet(str(root), size=8, num_classes=12).open(split)


def test_two_folders_that_could_be_the_test_split_and_pictures_beside(layout):
    (layout / "extra").mkdir()
    Image.new("RGB", (9, 9)).save(layout / "extra" / "a.png")
    (layout / "val" / "a.heic").write_bytes(b"x")
    data = Imagenet(str(layout), size=8, num_classes=3)
    beside = "left out: 1 pictures outside train and val"
    assert data.open("train").summary() == f"12 pictures of 3 classes; {beside}"
    assert data.open("test").summary() == f"6 pictures of 3 classes; left out: 1 of .heic; {beside}"
    write_classes(layout, "validation", ["n01"])
    with pytest.raises(UserError, match="holds val and validation; which of the two is meant"):
        Imagenet(str(layout), size=8, num_classes=3).open("test")


def test_a_split_of_parquet_is_not_mixed_with_a_folder(layout, write_parquet, png):
    write_parquet(layout / "train-00000-of-00001.parquet", [png(np.zeros((9, 9, 3), np.uint8))] * 3, [0, 1, 2])
    with pytest.raises(UserError, match="parquet files of one split and none of validation"):
        Imagenet(str(layout), size=8, num_classes=3).open("test")
