"""The two files of a prepared data set: bytes, labels and facts, and no file if there is an error."""

import hashlib
import json

import numpy as np
import pytest
from PIL import Image

from diffbench.base.digests import sha256
from diffbench.base.provenance_file import read_provenance
from diffbench.stages._command import run_stage
from diffbench.stages.prepare import main


def call(tmp_path, dataset, *more):
    outs = ["--out-train", str(tmp_path / "out/train.npz"), "--out-test", str(tmp_path / "out/test.npz")]
    main(["--spec", json.dumps({"dataset": dataset}), *outs, *more])
    return tmp_path / "out/train.npz", tmp_path / "out/test.npz"


def test_digits_with_facts(tmp_path):
    train, test = call(tmp_path, {"name": "digits"}, "--run-record", str(tmp_path / "prepare.run.json"))
    with np.load(train) as arrays:
        images, labels = arrays["arr_0"], arrays["arr_1"]
    assert (images.shape, images.dtype, labels.dtype) == ((1297, 8, 8, 1), np.uint8, np.int64)
    provenance = read_provenance(train)
    assert provenance["facts"] == {
        "num_images": 1297,
        "shape": [8, 8, 1],
        "levels": 17,
        "flip": False,
        "num_classes": 10,
        "class_counts": np.bincount(labels).tolist(),
        "images_sha256": hashlib.sha256(images.tobytes()).hexdigest(),
        "uniform_bits_per_dim": pytest.approx(np.log2(17)),
        "histogram_bits_per_dim": pytest.approx(2.425, abs=1e-3),
    }
    assert provenance["sha256"] == sha256(train)
    assert read_provenance(test)["facts"]["num_images"] == 500
    assert json.loads((tmp_path / "prepare.run.json").read_text())["num_images"] == 1797


def test_same_bytes_again(tmp_path):
    first = [sha256(path) for path in call(tmp_path / "a", {"name": "digits"})]
    assert first == [sha256(path) for path in call(tmp_path / "b", {"name": "digits"})]


def pictures(folder, *, num_test=3):
    for split, count in (("train", 4), ("test", num_test)):
        (folder / split).mkdir(parents=True)
        for index in range(count):
            Image.new("RGB", (6, 5), (index, 0, 0)).save(folder / split / f"{index}.png")
    return {"name": "folder", "path": str(folder)}


def test_folder_without_classes_has_no_labels(tmp_path):
    train, _ = call(tmp_path, pictures(tmp_path / "in"))
    with np.load(train) as arrays:
        assert list(arrays) == ["arr_0"]
        assert sorted(arrays["arr_0"][:, 0, 0, 0]) == [0, 1, 2, 3]
    assert read_provenance(train)["facts"]["num_classes"] is None


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda f: (f / "test/2.png").write_bytes((f / "test/2.png").read_bytes()[:50]),
            "test/2.png: cannot be read",
        ),
        (lambda f: Image.new("RGB", (9, 9)).save(f / "test/1.png"), "test/1.png: is 9x9, but"),
        (lambda f: [(f / f"test/{i}.png").unlink() for i in range(3)], "no pictures for 'test'"),
    ],
)
def test_one_line_exit_code_2_and_nothing_half_written(tmp_path, capsys, spoil, message):
    dataset = pictures(tmp_path / "in")
    spoil(tmp_path / "in")
    with pytest.raises(SystemExit) as caught:
        run_stage(lambda _: call(tmp_path, dataset) and None)
    said = capsys.readouterr().err
    assert caught.value.code == 2
    assert message in said and said.count("\n") == 1
    assert not list((tmp_path / "out").glob("*")) if (tmp_path / "out").exists() else True


def test_failure_keeps_the_files_of_before(tmp_path, capsys):
    dataset = pictures(tmp_path / "in")
    before = [sha256(path) for path in call(tmp_path, dataset)]
    (tmp_path / "in/test/2.png").write_bytes(b"no picture")
    with pytest.raises(SystemExit):
        run_stage(lambda _: call(tmp_path, dataset) and None)
    assert [sha256(tmp_path / f"out/{split}.npz") for split in ("train", "test")] == before


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        ({"name": "digit"}, "no dataset 'digit'; did you mean 'digits'?"),
        ({"name": "digits", "pth": "x"}, "unknown key 'pth'"),
        ({"name": "mnist"}, "'path' is missing"),
        ({}, "dataset: 'name' is missing"),
        (5, "dataset: 5 is neither a name nor a map"),
    ],
)
def test_misspelt_settings(tmp_path, dataset, message):
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        call(tmp_path, dataset)
