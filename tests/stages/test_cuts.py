"""Training on random crops, which are made only from the picture files that the data set was prepared from."""

import json
import shutil
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from diffbench.base.arrays import read_member
from diffbench.base.errors import UserError
from diffbench.base.sizes import shrunk
from diffbench.benchmark.jobs import train_classifier_job
from diffbench.datasets._crop import at_random, halved_then_bicubic
from diffbench.jobs.dataset import DatasetPart
from diffbench.jobs.prepare import PrepareJob
from diffbench.stages._cuts import cutting
from diffbench.stages.prepare import prepare
from diffbench.stages.shrink import main as shrink
from diffbench.stages.train import main

ENTRY = {"name": "folder", "path": "pictures", "channels": 1, "size": 8}


@pytest.fixture
def pictures(tmp_path):
    """Pictures of two classes and many sizes, and what the prepare stage makes of them."""
    draws = np.random.default_rng(0)
    for split, name, k in [(s, c, k) for s in ("train", "test") for c in "ab" for k in range(4)]:
        (tmp_path / "pictures" / split / name).mkdir(parents=True, exist_ok=True)
        pixels = draws.integers(0, 256, (12 + k, 30 - k), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "pictures" / split / name / f"{k}.png")
    entry = ENTRY | {"path": str(tmp_path / "pictures")}
    prepare(
        PrepareJob(dataset=DatasetPart.read(entry, "dataset")),
        out_train=tmp_path / "train.npz",
        out_test=tmp_path / "test.npz",
    )
    return tmp_path


@contextmanager
def cuts(folder, entry=ENTRY, data="train.npz"):
    images, labels = read_member(folder / data, "arr_0"), read_member(folder / data, "arr_1")
    with cutting(DatasetPart.read(entry, "dataset").at(folder / "pictures"), images, labels, folder / data) as cut:
        yield cut, images


def own_pictures(folder, images):
    """Return each image's own picture: the one whose central crop it is."""
    opened = [Image.open(path) for path in sorted((folder / "pictures" / "train").rglob("*.png"))]
    central = [np.asarray(halved_then_bicubic(picture, 8))[:, :, None] for picture in opened]
    found = [[k for k, crop in enumerate(central) if np.array_equal(crop, image)] for image in images]
    assert sorted(found) == [[k] for k in range(len(images))]
    return [opened[k] for (k,) in found]


def test_a_crop_is_of_the_picture_that_the_image_was_made_from(pictures):
    with cuts(pictures) as (cut, images):
        own, index = own_pictures(pictures, images), torch.randperm(len(images))
        draws = torch.rand(len(images), 3, dtype=torch.float64)
        for k, row, future in zip(index.tolist(), draws.tolist(), cut(index, draws), strict=True):
            assert np.array_equal(future.result(), np.asarray(at_random(own[k], 8, row))[:, :, None])


def test_smaller_images_are_cut_at_the_data_sets_size_and_shrunk_as_the_stored_ones(pictures):
    for split in ("train", "test"):
        given = ["--spec", json.dumps({"size": 4}), "--data", str(pictures / f"{split}.npz")]
        shrink([*given, "--out", str(pictures / f"{split}_4.npz")])
    own = own_pictures(pictures, read_member(pictures / "train.npz", "arr_0"))
    with cuts(pictures, data="train_4.npz") as (cut, _):
        found = cut(torch.tensor([3]), torch.full((1, 3), 0.5))[0].result()
    large = np.asarray(at_random(own[3], 8, (0.5, 0.5, 0.5)))[None, :, :, None]
    assert np.array_equal(found, shrunk(large, 4)[0])


def test_other_pictures_than_were_prepared_are_refused(pictures):
    entered = ExitStack()
    first = min((pictures / "pictures" / "train").rglob("*.png"))
    shutil.copy(first, first.with_name("more.png"))
    with pytest.raises(
        UserError, match=r"train.npz: not made from the pictures of data set folder; prepare them again"
    ):
        entered.enter_context(cuts(pictures))
    first.with_name("more.png").unlink()
    with cuts(pictures):
        pass
    Image.open(first).transpose(Image.Transpose.FLIP_TOP_BOTTOM).save(first)
    with pytest.raises(UserError, match="prepare them again"):
        entered.enter_context(cuts(pictures))


def test_images_that_are_not_square_are_refused(tmp_path):
    for split in ("train", "test"):
        (tmp_path / "pictures" / split).mkdir(parents=True)
        Image.new("L", (12, 9)).save(tmp_path / "pictures" / split / "a.png")
    entry = DatasetPart("folder", {"path": str(tmp_path / "pictures"), "channels": 1})
    prepare(
        PrepareJob(dataset=entry),
        out_train=tmp_path / "train.npz",
        out_test=tmp_path / "test.npz",
    )
    images = read_member(tmp_path / "train.npz", "arr_0")
    with (
        pytest.raises(UserError, match="random crops are squares, and images of 9x12 are not"),
        cutting(entry, images, None, tmp_path / "train.npz"),
    ):
        pass


def test_a_data_set_without_pictures_is_refused(tmp_path):
    with (
        pytest.raises(UserError, match="dataset digits: keeps no pictures to cut from"),
        cutting(DatasetPart("digits"), np.zeros((1, 8, 8, 1), np.uint8), None, tmp_path / "train.npz"),
    ):
        pass


@pytest.fixture
def trained(pictures, smoke, tmp_path):
    """trained(**changes) -> the weights of a classifier trained for 3 steps, and the header of its log."""

    def trained(held_out="test.npz", dataset=ENTRY, **training):
        job = train_classifier_job(smoke, "noisy", 0)
        settings = replace(job.training, **{"steps": 3, "batch_size": 4, "log_every": 3, **training})
        job = replace(job, training=settings, dataset=dataset and DatasetPart.read(dataset, "dataset"))
        out, log = tmp_path / "weights.safetensors", tmp_path / "log.csv"
        given = ["--spec", json.dumps(job.as_json()), "--data", str(pictures / "train.npz"), "--device", "cpu"]
        given += [
            "--held-out",
            str(pictures / held_out),
            "--pictures",
            str(pictures / "pictures"),
            "--cache",
            str(tmp_path / "cache"),
        ]
        main([*given, "--out", str(out), "--log-csv", str(log)])
        found = torch.cat([tensor.flatten().double() for tensor in load_file(out).values()])
        return found, log.read_text().splitlines()[0]

    return trained


def test_the_stage_trains_a_classifier_on_them(trained):
    crops, header = trained(random_crop=True)
    again, centre = trained(random_crop=True)[0], trained(dataset=None)[0]
    assert torch.equal(crops, again) and not torch.equal(crops, centre)
    assert header.endswith(",".join(f"held_out_accuracy_q{quarter}" for quarter in range(4)))


def test_a_spec_without_its_data_set_is_refused(trained):
    with pytest.raises(UserError, match="random_crop: the spec must name the data set whose pictures are cut"):
        trained(dataset=None, random_crop=True)


def test_held_out_images_of_another_size_are_refused(trained, pictures):
    shrink(
        ["--spec", json.dumps({"size": 4}), "--data", str(pictures / "test.npz"), "--out", str(pictures / "small.npz")]
    )
    with pytest.raises(UserError, match=r"small.npz: images of shape \[4, 4, 1\], those trained on \[8, 8, 1\]"):
        trained(held_out="small.npz")
