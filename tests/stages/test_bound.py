"""bound: the terms of a trained model on the digits' grey levels."""

import json
import shutil

import numpy as np
import pytest
import torch

from diffbench.base.artifacts import read_provenance, sha256
from diffbench.stages.bound import bound, main

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def terms(tmp_path_factory, specs, weights, data):
    out = tmp_path_factory.mktemp("terms") / "terms.npz"
    bound(specs("bound"), weights, data / "test.npz", out, device="cpu")
    return out


def arrays(path):
    with np.load(path) as content:
        return {name: content[name] for name in content}


def test_terms_add_up(terms):
    found = arrays(terms)
    assert found["vlb"].shape == found["timesteps"].shape == found["x_0_mse"].shape == (7, 4)
    assert found["width"].sum() == 1000 and found["width"][0] == 1
    assert np.allclose(found["bits_per_dim"], found["prior"] + found["vlb"] @ found["width"])
    assert np.isfinite(found["bits_per_dim"]).all() and (found["prior"] < 1e-3).all()
    mean = found["vlb"].mean(axis=0)
    assert np.isclose(found["rate"][0] + mean[0], found["bits_per_dim"].mean())
    assert np.allclose(found["distortion_rmse"], 127.5 * np.sqrt(found["x_0_mse"].mean(axis=0)))


def test_provenance(terms, specs, weights, data):
    provenance = read_provenance(terms)
    assert provenance["spec"] == specs("bound")
    assert provenance["inputs"] == {"data": sha256(data / "test.npz"), "weights": sha256(weights)}
    assert (provenance["facts"]["num_images"], provenance["facts"]["levels"]) == (7, 17)


def test_equal_bytes_again_and_a_run_record(terms, specs, weights, data, tmp_path):
    out, record = tmp_path / "t.npz", tmp_path / "r.json"
    call = ["--spec", json.dumps(specs("bound")), "--weights", weights, "--data", data / "test.npz", "--out", out]
    main([str(a) for a in [*call, "--run-record", record, "--device", "cpu"]])
    assert sha256(out) == sha256(terms)
    assert json.loads(record.read_text())["evaluations"] == 2 * 4 * 5


def test_images_are_taken_on_their_grey_levels(specs, weights, data, tmp_path, monkeypatch):
    seen = []

    def spy(denoiser, chain, images, num_images, **settings):
        seen.append(images(0, 20))
        raise InterruptedError

    monkeypatch.setattr("diffbench.stages.bound.bound_terms", spy)
    with pytest.raises(InterruptedError):
        bound(specs("bound"), weights, data / "test.npz", tmp_path / "t.npz", device="cpu")
    values = seen[0].unique()
    assert torch.equal(values * 8, (values * 8).round()) and len(values) == 17
    assert (values.min(), values.max()) == (-1, 1)


def test_more_images_than_there_are(specs, weights, data, tmp_path):
    spec = specs("bound", bound={"num_images": None, "timesteps": 2, "micro_batch": 250})
    bound(spec, weights, data / "test.npz", tmp_path / "t.npz", device="cpu")
    assert read_provenance(tmp_path / "t.npz")["facts"]["num_images"] == 500
    assert np.array_equal(arrays(tmp_path / "t.npz")["width"], [1, 999])


def test_mistakes_are_one_line(specs, weights, data, tmp_path, failing):
    def call(weights, data):
        return ["--spec", json.dumps(specs("bound")), "--weights", weights, "--data", data, "--out", tmp_path / "t.npz"]

    assert "no.npz: no such file" in failing(main, call(weights, tmp_path / "no.npz"))
    assert "no.safetensors: no such file" in failing(main, call(tmp_path / "no.safetensors", data / "test.npz"))
    shutil.copy(f"{weights}.json", tmp_path / "w.safetensors.json")
    (tmp_path / "w.safetensors").write_bytes(weights.read_bytes()[:1000])
    said = failing(main, call(tmp_path / "w.safetensors", data / "test.npz"))
    assert "w.safetensors: not a whole safetensors file" in said
    (tmp_path / "cut.npz").write_bytes((data / "test.npz").read_bytes()[:1000])
    assert "cut.npz: not a whole .npz file" in failing(main, call(weights, tmp_path / "cut.npz"))
    assert not (tmp_path / "t.npz").exists()
