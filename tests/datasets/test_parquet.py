"""Parquet files by their names, the classes that they name, and damage of every kind."""

import json

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from diffbench.base.errors import UserError
from diffbench.datasets.cifar10 import Cifar10


@pytest.fixture
def shards(tmp_path, write_parquet, png):
    """shards(*names) -> a folder with files of these names, whose k-th picture is of grey k and of label k."""

    def written(*names):
        for k, name in enumerate(names):
            write_parquet(tmp_path / name, [png(np.full((32, 32, 3), k, np.uint8))], [k])
        return Cifar10(str(tmp_path))

    return written


def labels_of(data, split="train"):
    opened = data.open(split)
    greys = np.concatenate(list(opened.chunks))[:, 0, 0, 0]
    assert np.array_equal(greys, opened.labels)
    return opened.labels.tolist()


def test_shards_with_a_hash_are_read_in_order(shards):
    names = ["train-00000-of-00003-9f.parquet", "train-00001-of-00003-0a1b.parquet", "train-00002-of-00003-5.parquet"]
    assert labels_of(shards(*names)) == [0, 1, 2]


def test_the_order_is_that_of_the_numbers(tmp_path, write_parquet, png):
    for k in (10, 9, 2, 0, 1, 3, 4, 5, 6, 7, 8):
        write_parquet(tmp_path / f"train-{k}-of-11.parquet", [png(np.full((32, 32, 3), k, np.uint8))], [k % 10])
    opened = Cifar10(str(tmp_path)).open("train")
    assert np.concatenate(list(opened.chunks))[:, 0, 0, 0].tolist() == list(range(11))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["train-00000-of-00003-8f.parquet", "train-00002-of-00003-8e.parquet"], "2 parts of 'train' are there, not all of 0 to 2"),
        (["train-00000-of-00003.parquet", "train-00001-of-00003.parquet"], "2 parts of 'train' are there, not all of 0 to 2"),
        (["train-00000-of-00002.parquet", "train-00000-of-00002-8f.parquet"], "is part 0 of 'train', as is train-00000-of-00002"),
        (["train-00000-of-00002.parquet", "train-00001-of-00002-8f.parquet", "train-00001-of-00002-9f.parquet"], "is part 1 of 'train', as is"),
        (["train-00000-of-00001.parquet", "train-00001-of-00002.parquet"], "one of 2 parts, and .* one of 1; keep one set"),
        (["train-00001-of-00002.parquet", "train-00002-of-00002.parquet"], "2 parts of 'train' are there, not all of 0 to 1"),
        (["train-00000-of-00000.parquet"], "not all of 0 to -1"),
        (["train-00000-of-00001.parquet", "train-extra.parquet"], "train-extra.parquet: parts are called train-00000-of-00002.parquet"),
        (["train-0.parquet"], "train-0.parquet: parts are called train-00000-of-00002.parquet"),
        (["train.parquet", "train-00000-of-00001.parquet"], "train.parquet: lies beside train-00000-of-00001.parquet"),
    ],
)  # fmt: skip
def test_parts_that_cannot_be_meant_are_refused(shards, names, message):
    with pytest.raises(UserError, match=message) as caught:
        shards(*names).open("train")
    assert "\n" not in str(caught.value)


def name_classes(path, names):
    table = pyarrow.parquet.read_table(path)
    features = {"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}}}}
    pyarrow.parquet.write_table(table.replace_schema_metadata({"huggingface": json.dumps(features)}), path)


@pytest.mark.parametrize("split", ["train", "test"])
def test_splits_that_name_their_classes_otherwise_are_refused(shards, tmp_path, split):
    data = shards("train.parquet", "test.parquet")
    name_classes(tmp_path / "train.parquet", ["ant", "bee", "cat"])
    assert data.open(split).num_images == 1
    name_classes(tmp_path / "test.parquet", ["ant", "bee", "cat"])
    assert data.open(split).num_images == 1
    name_classes(tmp_path / "test.parquet", ["ant", "cat", "bee"])
    with pytest.raises(UserError, match=r"test.parquet: calls a class 'cat' that is 'bee' in train.parquet"):
        data.open(split)
    name_classes(tmp_path / "test.parquet", ["ant", "bee"])
    with pytest.raises(UserError, match=r"test.parquet: names 2 classes, not as many as in train.parquet"):
        data.open(split)


def test_damage_is_one_line_or_changes_nothing(tmp_path, write_parquet, png):
    draws = np.random.default_rng(0)
    pictures = [png(draws.integers(0, 256, (32, 32, 3), np.uint8)) for _ in range(3)]
    file = tmp_path / "train.parquet"
    write_parquet(file, pictures, [0, 1, 2])
    whole, refused = file.read_bytes(), 0
    damaged = [whole[:length] for length in range(0, len(whole), len(whole) // 40)]
    for position in draws.integers(0, len(whole), 150):
        damaged.append(whole[:position] + bytes([whole[position] ^ 0xFF]) + whole[position + 1 :])
    for content in damaged:
        file.write_bytes(content)
        try:
            np.concatenate(list(Cifar10(str(tmp_path)).open("train").chunks))
        except UserError as error:
            assert str(file) in str(error) and "\n" not in str(error)
            refused += 1
    assert refused > 100
