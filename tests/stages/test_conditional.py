"""Class-conditional models: labels in training, in sampling and in the bound."""

import json

import numpy as np
import pytest
import torch

from diffbench.base.arrays import read_member, save_npz
from diffbench.base.artifacts import read_provenance, write_provenance
from diffbench.base.errors import UserError
from diffbench.base.seeds import Stream
from diffbench.stages.bound import bound
from diffbench.stages.sample import sample_sets
from diffbench.stages.train import train


def conditional(spec):
    spec = json.loads(json.dumps(spec))
    spec["network"]["class_conditional"] = True
    return spec


@pytest.fixture(scope="module")
def conditional_weights(tmp_path_factory, specs, data):
    folder = tmp_path_factory.mktemp("conditional")
    path = folder / "weights.safetensors"
    spec = conditional(specs("train"))
    # Fast steps: the network starts as if there were no labels, and must move away from that.
    spec["training"] |= {"steps": 40, "warmup_steps": 0, "learning_rate": 5e-3}
    train(spec, data / "train.npz", path, folder / "log.csv", device="cpu", cache=folder / "cache")
    return path


def test_samples_carry_the_labels_of_their_stream(conditional_weights, specs, tmp_path):
    spec = conditional(specs("sample"))
    outs = [tmp_path / f"{spacing}.npz" for spacing in spec["spacings"]]
    sample_sets(spec, conditional_weights, outs, device="cpu", cache=tmp_path / "cache")
    expected = Stream(spec["seed"], "label").integers(torch.arange(spec["num_images"]), 0, 10)
    for out in outs:
        assert np.array_equal(read_member(out, "arr_1"), expected.numpy())
        assert read_provenance(out)["facts"]["flops_per_evaluation"] > 0


def test_the_label_changes_the_image(conditional_weights, specs, tmp_path, monkeypatch):
    spec = conditional(specs("sample"))
    spec["spacings"] = spec["spacings"][:1]
    sample_sets(spec, conditional_weights, [tmp_path / "a.npz"], device="cpu", cache=tmp_path / "cache")
    original = Stream.integers

    def shifted(self, index, draw, high):
        return (original(self, index, draw, high) + 1) % high

    monkeypatch.setattr(Stream, "integers", shifted)
    sample_sets(spec, conditional_weights, [tmp_path / "b.npz"], device="cpu", cache=tmp_path / "cache")
    assert not np.array_equal(read_member(tmp_path / "a.npz", "arr_0"), read_member(tmp_path / "b.npz", "arr_0"))


def test_the_bound_takes_the_images_own_labels(conditional_weights, specs, data, tmp_path):
    spec = conditional(specs("bound"))
    bound(spec, conditional_weights, data / "test.npz", tmp_path / "terms.npz", device="cpu")
    assert np.isfinite(read_member(tmp_path / "terms.npz", "bits_per_dim")).all()
    save_npz(tmp_path / "bare.npz", {"arr_0": np.asarray(read_member(data / "test.npz", "arr_0"))})
    write_provenance(tmp_path / "bare.npz", spec={}, facts={})
    with pytest.raises(UserError, match="needs labels"):
        bound(spec, conditional_weights, tmp_path / "bare.npz", tmp_path / "terms2.npz", device="cpu")
