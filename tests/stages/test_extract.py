"""extract: features of image files, named and stated with the extractor's weights."""

import json

import numpy as np
import pytest

from diffbench.base.arrays import save_npz
from diffbench.base.artifacts import read_provenance, sha256
from diffbench.extractors.digits_features import DigitsFeatures
from diffbench.stages import extract as stage
from diffbench.stages.extract import extract, main

SPEC = {"extractor": {"name": "digits_features"}, "threads": 1}


def arrays(path):
    with np.load(path) as content:
        return {name: content[name] for name in content}


def test_features_of_several_files_with_provenance(data, tmp_path):
    few = tmp_path / "few.npz"
    with np.load(data / "test.npz") as content:
        save_npz(few, {"arr_0": content["arr_0"][:70]})
    outs = [tmp_path / "a.npz", tmp_path / "b.npz"]
    extract(SPEC, [data / "test.npz", few], outs, device="cpu")
    whole, part = map(arrays, outs)
    with np.load(data / "test.npz") as content:
        assert np.array_equal(whole.pop("labels"), content["arr_1"])
    assert set(whole) == set(part) == set(DigitsFeatures.features)
    for name, values in whole.items():
        assert values.dtype == np.float32 and len(values) == 500
        assert np.array_equal(values[:70], part[name])
    provenance = read_provenance(outs[1])
    assert provenance["inputs"] == {"images": sha256(few)} and provenance["spec"] == SPEC
    assert provenance["facts"]["num_images"] == 70
    assert provenance["facts"]["weights_sha256"] == DigitsFeatures().weights_sha256(None)


def test_reading_in_chunks_changes_nothing(data, tmp_path, monkeypatch):
    extract(SPEC, [data / "test.npz"], [tmp_path / "a.npz"], device="cpu")
    monkeypatch.setattr(stage, "CHUNK", 128)
    extract(SPEC, [data / "test.npz"], [tmp_path / "b.npz"], device="cpu")
    assert sha256(tmp_path / "a.npz") == sha256(tmp_path / "b.npz")


def test_compressed_images_are_read(data, tmp_path):
    with np.load(data / "test.npz") as content:
        np.savez_compressed(tmp_path / "c.npz", arr_0=content["arr_0"], arr_1=content["arr_1"])
    extract(SPEC, [data / "test.npz", tmp_path / "c.npz"], [tmp_path / "a.npz", tmp_path / "b.npz"], device="cpu")
    assert sha256(tmp_path / "a.npz") == sha256(tmp_path / "b.npz")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        (np.zeros((3, 8, 8, 1)), "wanted uint8 images"),
        (np.zeros((3, 8, 8), np.uint8), "wanted uint8 images"),
        (np.zeros((3, 9, 9, 1), np.uint8), "(9, 9, 1)"),
        (np.zeros((0, 8, 8, 1), np.uint8), "holds no images"),
    ],
    ids=["missing", "floats", "no channels", "size", "none"],
)
def test_what_are_no_images_is_one_line(tmp_path, failing, content, message):
    path = tmp_path / "images.npz"
    if content is not None:
        save_npz(path, {"arr_0": content})
    call = ["--spec", json.dumps(SPEC), "--images", path, "--out", tmp_path / "f.npz", "--device", "cpu"]
    assert message in failing(main, call)
    assert not (tmp_path / "f.npz").exists()


def test_numbers_of_files_and_missing_weights(data, tmp_path, failing):
    call = ["--images", data / "test.npz", data / "test.npz", "--out", tmp_path / "f.npz", "--device", "cpu"]
    assert "--out: 1 files for 2 image files" in failing(main, ["--spec", json.dumps(SPEC), *call])
    spec = json.dumps({"extractor": {"name": "classifier"}, "threads": 1})
    call = ["--spec", spec, "--images", data / "test.npz", "--out", tmp_path / "f.npz", "--device", "cpu"]
    assert "needs the weights that the fit stage writes" in failing(main, call)
    assert "no.safetensors: no such file" in failing(main, [*call, "--weights", tmp_path / "no.safetensors"])
    (tmp_path / "w.safetensors").write_bytes(b"not weights")
    assert "w.safetensors" in failing(main, [*call, "--weights", tmp_path / "w.safetensors"])
