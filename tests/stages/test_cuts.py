"""Training on random crops: from the picture files that a data set was prepared from, and no others."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from diffbench.base.arrays import read_member
from diffbench.base.errors import UserError
from diffbench.datasets._crop import at_random
from diffbench.stages._cuts import cuts_of
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
    prepare({"dataset": entry}, out_train=tmp_path / "train.npz", out_test=tmp_path / "test.npz")
    return tmp_path


def cuts(folder, entry=ENTRY, data="train.npz"):
    images, labels = read_member(folder / data, "arr_0"), read_member(folder / data, "arr_1")
    return cuts_of(entry, folder, images, labels, folder / data), images


def test_crops_are_of_the_pictures_that_the_images_were_made_from(pictures):
    cut, images = cuts(pictures)
    draws = torch.rand(len(images), 3, dtype=torch.float64)
    found = [future.result() for future in cut(torch.arange(len(images)), draws)]
    opened = [Image.open(path) for path in sorted((pictures / "pictures" / "train").rglob("*.png"))]
    for k, row in enumerate(draws.tolist()):
        candidates = [np.asarray(at_random(picture, 8, row))[:, :, None] for picture in opened]
        assert sum(np.array_equal(found[k], candidate) for candidate in candidates) == 1


def test_smaller_images_are_cut_at_their_own_size(pictures):
    for split in ("train", "test"):
        given = ["--spec", json.dumps({"size": 4}), "--data", str(pictures / f"{split}.npz")]
        shrink([*given, "--out", str(pictures / f"{split}_4.npz")])
    cut, _ = cuts(pictures, data="train_4.npz")
    assert cut(torch.tensor([3]), torch.full((1, 3), 0.5))[0].result().shape == (4, 4, 1)


def test_other_pictures_than_were_prepared_are_refused(pictures):
    first = min((pictures / "pictures" / "train").rglob("*.png"))
    shutil.copy(first, first.with_name("more.png"))
    with pytest.raises(UserError, match=r"train.npz: not made from the pictures at .*; prepare them again"):
        cuts(pictures)
    first.with_name("more.png").unlink()
    cuts(pictures)
    for picture in (pictures / "pictures" / "train").rglob("*.png"):
        Image.open(picture).transpose(Image.Transpose.FLIP_TOP_BOTTOM).save(picture)
    with pytest.raises(UserError, match="prepare them again"):
        cuts(pictures)


def test_images_that_are_not_square_are_refused(tmp_path):
    for split in ("train", "test"):
        (tmp_path / "pictures" / split).mkdir(parents=True)
        Image.new("L", (12, 9)).save(tmp_path / "pictures" / split / "a.png")
    entry = {"name": "folder", "path": str(tmp_path / "pictures"), "channels": 1}
    prepare({"dataset": entry}, out_train=tmp_path / "train.npz", out_test=tmp_path / "test.npz")
    with pytest.raises(UserError, match="random crops are squares, and the images are not; set its 'size'"):
        cuts_of(entry, tmp_path, read_member(tmp_path / "train.npz", "arr_0"), None, tmp_path / "train.npz")


def test_the_stage_trains_a_classifier_on_them(pictures, smoke, tmp_path):
    spec = json.loads(json.dumps(smoke.train_classifier_job("noisy", 0).spec))
    spec["training"] |= {"steps": 3, "batch_size": 4, "log_every": 3}
    weights = {}
    for name, more in {"crops": {"dataset": ENTRY}, "again": {"dataset": ENTRY}, "centre": {}}.items():
        out = tmp_path / f"{name}.safetensors"
        given = ["--spec", json.dumps(spec | more), "--data", str(pictures / "train.npz"), "--device", "cpu"]
        given += ["--held-out", str(pictures / "test.npz"), "--root", str(pictures), "--cache", str(tmp_path / "cache")]
        main([*given, "--out", str(out), "--log-csv", str(tmp_path / "log.csv")])
        header = (tmp_path / "log.csv").read_text().splitlines()[0]
        assert header.endswith("held_out_accuracy_q0,held_out_accuracy_q1,held_out_accuracy_q2,held_out_accuracy_q3")
        weights[name] = torch.cat([tensor.flatten().double() for tensor in load_file(out).values()])
    assert torch.equal(weights["crops"], weights["again"]) and not torch.equal(weights["crops"], weights["centre"])
