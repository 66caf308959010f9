"""Your own checkpoint as an artifact, which is then sampled and bounded as if it had been trained here."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from diffbench.base.arrays import read_member
from diffbench.base.digests import sha256
from diffbench.base.inputs import NOTHING
from diffbench.base.provenance_file import read_provenance
from diffbench.jobs.bound import BoundJob
from diffbench.jobs.convert import ConvertJob
from diffbench.jobs.sample import SampleJob
from diffbench.jobs.weights_facts import WeightsFacts
from diffbench.stages.bound import bound
from diffbench.stages.convert import main, write_weights
from diffbench.stages.sample import sample_set

LAB = Path(__file__).parents[1] / "workflow/my_lab.py"


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """Your own module on Python's path, and weights of its network as you would save them."""
    shutil.copy(LAB, tmp_path / "my_lab.py")
    monkeypatch.syspath_prepend(tmp_path)
    import my_lab

    torch.manual_seed(3)
    network = my_lab.Net(width=6).build((1, 8, 8), 10, False)
    torch.save({"model": network.state_dict(), "step": 12}, tmp_path / "mine.pt")
    yield network
    import sys

    sys.modules.pop("my_lab", None)


SPEC = {
    "network": {"name": "my_lab.Net", "width": 6},
    "diffusion": {"timesteps": 50, "schedule": "linear", "variance": "fixed_large", "rescale_timesteps": True},
    "weights": "ema",
    "key": "model",
}


def converted(tmp_path, data, spec=SPEC, file="mine.pt"):
    out = tmp_path / "weights.safetensors"
    main(
        ["--spec", json.dumps(spec), "--checkpoint", str(tmp_path / file), "--data", str(data / "train.npz")]
        + ["--out", str(out)]
    )
    return out


def test_the_weights_and_what_stands_beside_them(lab, tmp_path, data):
    out = converted(tmp_path, data)
    held, provenance = load_file(out), read_provenance(out)
    assert all(torch.equal(held[f"ema.{name}"], tensor) for name, tensor in lab.state_dict().items())
    assert len(held) == len(lab.state_dict())
    facts = provenance["facts"]
    assert facts["shape"] == [8, 8, 1] and facts["levels"] == 17 and facts["num_classes"] == 10
    assert facts["parameters"] == sum(parameter.numel() for parameter in lab.parameters())
    assert provenance["inputs"]["checkpoint"] == sha256(tmp_path / "mine.pt")
    # What its images were is not known, and not claimed.
    assert "images_sha256" not in facts


def test_it_samples_and_is_bounded_as_any_other(lab, tmp_path, data):
    weights = converted(tmp_path, data)
    spec = {key: SPEC[key] for key in ("network", "diffusion", "weights")}
    sampling = {"micro_batch": 4, "clip_x_0": True, "rounding": "truncate"}
    drawn = spec | {"sampler": {"name": "ddim", "eta": 0.0}, "sampling": sampling, "spacings": ["5"]}
    drawn |= {"num_images": 6, "seed": 0, "threads": 1}
    sample_set(SampleJob.read(drawn), weights, tmp_path / "a.npz", device="cpu", cache=tmp_path / "cache")
    assert read_member(tmp_path / "a.npz", "arr_0").shape == (6, 8, 8, 1)
    assert read_provenance(tmp_path / "a.npz")["facts"]["nfe"] == 5
    coded = spec | {"split": "test", "threads": 1}
    settings = {"timesteps": 4, "num_images": 6, "reconstructions": 2, "micro_batch": 3, "seed": 0}
    bound(BoundJob.read(coded | {"bound": settings}), weights, data / "test.npz", tmp_path / "terms.npz", device="cpu")
    assert np.isfinite(read_member(tmp_path / "terms.npz", "bits_per_dim")).all()
    # The same weights under other noise levels are another model.
    other = drawn | {"diffusion": SPEC["diffusion"] | {"schedule": "cosine"}}
    sample_set(SampleJob.read(other), weights, tmp_path / "b.npz", device="cpu", cache=tmp_path / "cache")
    first, second = (np.asarray(read_member(tmp_path / f"{name}.npz", "arr_0")) for name in "ab")
    assert not np.array_equal(first, second)


def arguments(tmp_path, data, spec):
    given = ["--spec", json.dumps(spec), "--checkpoint", tmp_path / "mine.pt", "--data", data / "train.npz"]
    return [*given, "--out", tmp_path / "weights.safetensors"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"network": {"name": "my_lab.Net", "width": 5}},
            "weight 'first.weight' is (6, 1, 3, 3) in the file and (5, 1",
        ),
        ({"network": {"name": "my_lab.Other"}}, "my_lab has no dataclass 'Other'"),
        ({"network": {"name": "my_lab.Net", "depth": 5}}, "unknown key 'depth'"),
        ({"network": {"name": "unet", "attention_resolutions": [4]}}, "its names are not a U-Net's"),
        ({"key": "step"}, "say which with 'key': model"),
        ({"diffusion": {"variance": "learned_range"}}, "weight 'last.weight' is (1, 6, 3, 3) in the file and (2, 6"),
    ],
)
def test_weights_that_do_not_fit_are_one_line_and_cost_nothing(lab, tmp_path, data, failing, changes, message):
    before = converted(tmp_path, data).read_bytes()
    said = failing(main, arguments(tmp_path, data, SPEC | changes))
    assert message in said and (tmp_path / "weights.safetensors").read_bytes() == before


def test_a_file_that_is_not_there(lab, tmp_path, data, failing):
    (tmp_path / "mine.pt").unlink()
    assert "mine.pt: no such file" in failing(main, arguments(tmp_path, data, SPEC))


def test_safetensors_that_are_cut_off(lab, tmp_path, data, failing):
    save_file(lab.state_dict(), tmp_path / "whole.safetensors")
    spec = {key: value for key, value in SPEC.items() if key != "key"}
    assert converted(tmp_path, data, spec, "whole.safetensors").is_file()
    content = (tmp_path / "whole.safetensors").read_bytes()
    (tmp_path / "whole.safetensors").write_bytes(content[:-10])
    given = arguments(tmp_path, data, spec)
    given[3] = tmp_path / "whole.safetensors"
    assert "not a whole safetensors file" in failing(main, given)


def test_entries_that_are_not_finite(lab, tmp_path, data):
    from diffbench.base.errors import UserError

    state = lab.state_dict()
    state["last.bias"] = state["last.bias"] * float("inf")
    with pytest.raises(UserError, match="weight 'last.bias' has entries that are not finite"):
        facts = WeightsFacts(shape=(8, 8, 1), levels=17, num_classes=1)
        job = ConvertJob.read(SPEC)
        write_weights(job, state, Path("a"), tmp_path / "a.safetensors", inputs=NOTHING, facts=facts)
    assert not (tmp_path / "a.safetensors").exists()
