"""What every data set must keep, for each file in the folder."""

import dataclasses
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffbench.base import plugins
from diffbench.datasets._crop import halved_then_bicubic

from .test_lsun import write_database

MINIMAL = {"digits": {}, "mnist": {"path": "mnist"}, "cifar10": {"path": "cifar10-jpeg"}}
"""Options without which a data set cannot be built; paths are relative to the shared data."""


@pytest.fixture(params=plugins.names("datasets"))
def dataset(request, tmp_path):
    """Return each data set of the folder, with something to read."""
    if request.param == "folder":
        for index in range(4):
            Image.fromarray(np.full((6, 5, 3), index * 9, np.uint8)).save(tmp_path / f"{index}.png")
        options = {"path": str(tmp_path), "test_fraction": 0.5}
    elif request.param == "imagenet":
        for split, grey in product(("train", "val"), (1, 2)):
            (tmp_path / split / str(grey)).mkdir(parents=True)
            Image.new("RGB", (9, 7), (grey,) * 3).save(tmp_path / split / str(grey) / "a.png")
        options = {"path": str(tmp_path), "size": 4, "num_classes": 2}
    elif request.param == "lsun":
        for split in ("train", "val"):
            write_database(tmp_path / f"bedroom_{split}_lmdb", [np.full((9, 7, 3), 50, np.uint8)])
        options = {"path": str(tmp_path), "size": 4}
    else:
        options = dict(MINIMAL[request.param])
        if "path" in options:
            options["path"] = str(request.getfixturevalue("shared_data") / options["path"])
    return plugins.configure(plugins.load("datasets", request.param), options, request.param)


@pytest.mark.parametrize("split", ["train", "test"])
def test_first_chunk_is_what_the_split_declares(dataset, split):
    opened = dataset.open(split)
    chunk = next(iter(opened.chunks))
    assert chunk.dtype == np.uint8
    assert chunk.shape[1:] == opened.shape
    assert 0 < len(chunk) <= opened.num_images
    if dataset.num_classes is None:
        assert opened.labels is None
    else:
        assert opened.labels.dtype == np.int64 and opened.labels.shape == (opened.num_images,)
        assert 0 <= opened.labels.min() and opened.labels.max() < dataset.num_classes


@pytest.mark.parametrize("split", ["train", "test"])
def test_images_can_be_cut_from_their_pictures_again(dataset, split):
    opened = dataset.open(split)
    if opened.cut is None:
        assert not getattr(dataset, "has_pictures", False)
        pytest.skip(f"{type(dataset).__name__} keeps no pictures")
    resized = "size" in {field.name for field in dataclasses.fields(dataset)} and dataset.size is not None
    crop = partial(halved_then_bicubic, size=dataset.size) if resized else lambda image: image
    chunk = next(iter(opened.chunks))
    for k in {0, len(chunk) - 1}:
        assert np.array_equal(opened.cut(k, crop), chunk[k])


def test_a_shape_known_without_the_data_is_the_datas(dataset):
    assert getattr(dataset, "shape", None) in (None, dataset.open("train").shape)


def test_declares_levels_and_flip(dataset):
    chunk = next(iter(dataset.open("test").chunks))
    grid = np.rint(np.arange(dataset.levels) * 255 / (dataset.levels - 1))
    assert np.isin(chunk, grid).all()
    assert isinstance(dataset.flip, bool)


def test_name_in_configuration_is_the_files_name(dataset):
    assert Path(__import__(type(dataset).__module__, fromlist=["x"]).__file__).stem in plugins.names("datasets")
