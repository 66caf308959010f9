"""bound: the terms of a trained model on the digits' grey levels."""

import json
import shutil

import numpy as np
import pytest
import torch

from diffbench.base.arrays import save_npz
from diffbench.base.digests import sha256
from diffbench.base.provenance import write_provenance
from diffbench.base.provenance_file import read_provenance, write_recorded
from diffbench.diffusion.micro_batches import spread
from diffbench.jobs.bound import BoundJob
from diffbench.stages.bound import bound, main

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def terms(tmp_path_factory, specs, weights, data):
    out = tmp_path_factory.mktemp("terms") / "terms.npz"
    bound(BoundJob.read(specs("bound")), weights, data / "test.npz", out, device="cpu")
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


def test_the_curve_and_its_reconstructions(terms, data):
    found = arrays(terms)
    assert np.array_equal(found["curve_timesteps"], [0, 10, 20, 50, *range(100, 1000, 100)])
    assert found["curve_rate"].shape == found["curve_psnr"].shape == found["curve_ssim"].shape == (7, 13)
    # At t = 0, which every image takes in the bound too, both are all but the decoder's term and the same error.
    assert np.allclose(found["curve_rate"][:, 0], found["bits_per_dim"] - found["vlb"][:, 0])
    assert np.allclose(found["curve_x_0_mse"][:, 0], found["x_0_mse"][:, 0], rtol=1e-5)
    images = arrays(data / "test.npz")["arr_0"][found["index"]]
    assert np.array_equal(found["originals"], images[:3])
    assert found["reconstructions"].shape == (3, 13, 8, 8, 1) and found["reconstructions"].dtype == np.uint8
    error = ((found["reconstructions"] - images[:3, None].astype(float)) ** 2).mean(axis=(2, 3, 4))
    # Bytes are rounded, hence 1/12 of a level squared and a little more.
    assert np.allclose(error, 127.5**2 * found["curve_x_0_mse"][:3], rtol=0.1, atol=0.6)


def test_training_images_have_a_bound_and_no_curve(specs, weights, data, tmp_path):
    bound(BoundJob.read(specs("bound_train")), weights, data / "train.npz", tmp_path / "t.npz", device="cpu")
    facts = read_provenance(tmp_path / "t.npz")["facts"]
    assert (facts["split"], facts["num_images"], facts["of"]) == ("train", 7, 1297)
    # The data's facts tell what other codes make of the test split.
    assert "uniform_bits_per_dim" not in facts
    assert not [name for name in arrays(tmp_path / "t.npz") if name.startswith(("curve", "orig", "recon"))]


def test_images_are_spread_over_the_split():
    assert spread(10, 4).tolist() == [0, 2, 5, 7]
    assert spread(5, None).tolist() == spread(5, 9).tolist() == [0, 1, 2, 3, 4]
    # 50,000 x 1.3 million is beyond 32 bits.
    assert spread(1_281_167, 50_000)[-1] == 49_999 * 1_281_167 // 50_000


def test_images_that_are_flipped_in_training_are_coded_as_they_are(specs, weights, data, tmp_path):
    def bounded(flip):
        path = tmp_path / f"{flip}.npz"
        shutil.copy(data / "test.npz", path)
        facts = json.loads((data / "test.npz.json").read_text())
        facts["facts"]["flip"] = flip
        write_recorded(path.with_name(f"{path.name}.json"), facts)
        bound(BoundJob.read(specs("bound")), weights, path, tmp_path / f"terms_{flip}.npz", device="cpu")
        return arrays(tmp_path / f"terms_{flip}.npz")

    flipped, unflipped = bounded(True), bounded(False)
    assert all(np.array_equal(flipped[name], unflipped[name]) for name in unflipped)
    # A flip would show: the images are not symmetric, and their mirror images cost something else.
    mirrored = tmp_path / "mirrored.npz"
    images = arrays(data / "test.npz")["arr_0"]
    save_npz(mirrored, {"arr_0": images[:, :, ::-1]})
    write_provenance(mirrored, spec={}, facts=read_provenance(data / "test.npz")["facts"])
    bound(BoundJob.read(specs("bound")), weights, mirrored, tmp_path / "terms_mirrored.npz", device="cpu")
    other = arrays(tmp_path / "terms_mirrored.npz")
    assert (other["bits_per_dim"] != unflipped["bits_per_dim"]).all()
    assert np.array_equal(unflipped["originals"], images[unflipped["index"][:3]])


def test_provenance(terms, specs, weights, data):
    provenance = read_provenance(terms)
    assert provenance["spec"] == specs("bound")
    assert provenance["inputs"] == {"data": sha256(data / "test.npz"), "weights": sha256(weights)}
    facts = provenance["facts"]
    assert (facts["num_images"], facts["of"], facts["levels"], facts["split"]) == (7, 500, 17, "test")
    assert facts["ssim_window"] == 7 and round(facts["uniform_bits_per_dim"], 2) == 4.09


def test_equal_bytes_again_and_a_run_record(terms, specs, weights, data, tmp_path):
    out, record = tmp_path / "t.npz", tmp_path / "r.json"
    call = ["--spec", json.dumps(specs("bound")), "--weights", weights, "--data", data / "test.npz", "--out", out]
    main([str(a) for a in [*call, "--run-record", record, "--device", "cpu"]])
    assert sha256(out) == sha256(terms)
    assert json.loads(record.read_text())["evaluations"] == 2 * (4 + 13) * 5


def test_images_are_taken_on_their_grey_levels(specs, weights, data, tmp_path, monkeypatch):
    seen = []

    def spy(denoiser, chain, images, index, **settings):
        seen.append(images(torch.arange(20)))
        raise InterruptedError

    monkeypatch.setattr("diffbench.stages.bound.bound_terms", spy)
    with pytest.raises(InterruptedError):
        bound(BoundJob.read(specs("bound")), weights, data / "test.npz", tmp_path / "t.npz", device="cpu")
    values = seen[0].unique()
    assert torch.equal(values * 8, (values * 8).round()) and len(values) == 17
    assert (values.min(), values.max()) == (-1, 1)


def test_more_images_than_there_are(specs, weights, data, tmp_path):
    spec = specs("bound", bound={"num_images": None, "timesteps": 2, "micro_batch": 250})
    bound(BoundJob.read(spec), weights, data / "test.npz", tmp_path / "t.npz", device="cpu")
    assert read_provenance(tmp_path / "t.npz")["facts"]["num_images"] == 500
    assert np.array_equal(arrays(tmp_path / "t.npz")["width"], [1, 999])


def test_mistakes_are_one_line(specs, weights, data, tmp_path, failing):
    def call(weights, data):
        return ["--spec", json.dumps(specs("bound")), "--weights", weights, "--data", data, "--out", tmp_path / "t.npz"]

    assert "no.npz: no such file" in failing(main, call(weights, tmp_path / "no.npz"))
    assert "no.safetensors: no such file" in failing(main, call(tmp_path / "no.safetensors", data / "test.npz"))
    (tmp_path / "w.safetensors").write_bytes(weights.read_bytes()[:1000])
    write_provenance(tmp_path / "w.safetensors", spec={}, facts=read_provenance(weights)["facts"])
    said = failing(main, call(tmp_path / "w.safetensors", data / "test.npz"))
    assert "w.safetensors: not a whole safetensors file" in said
    (tmp_path / "cut.npz").write_bytes((data / "test.npz").read_bytes()[:1000])
    write_provenance(tmp_path / "cut.npz", spec={})
    assert "cut.npz: not a whole .npz file" in failing(main, call(weights, tmp_path / "cut.npz"))
    assert not (tmp_path / "t.npz").exists()
