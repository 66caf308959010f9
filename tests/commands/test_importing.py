"""Weights in the published layouts, saved here, as artifacts; and one line for files that are none."""

import dataclasses
import json
import os
import pickle

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from diffbench.base.arrays import read_member, save_npz
from diffbench.base.digests import sha256
from diffbench.base.errors import UserError
from diffbench.base.inputs import checked
from diffbench.base.provenance import write_provenance
from diffbench.base.provenance_file import read_provenance
from diffbench.commands.importing import released as _released
from diffbench.commands.importing.released import REGISTRY
from diffbench.commands.importing.run import Imported, import_checkpoint, meaning_of_released
from diffbench.jobs.sample import SampleJob
from diffbench.stages._model import Architecture, Held, load_classifier, load_model
from diffbench.stages.sample import sample_set

SMALL = {"num_channels": 32, "num_res_blocks": 1, "image_size": 16, "channel_mult": "1,2", "attention_resolutions": "8"}


def state_of(name, seed=0):
    """Random weights under the published names, for a (small) entry of the registry."""
    meaning = meaning_of_released(REGISTRY[name])
    architecture = Architecture.of(meaning)
    network = (architecture.classifier if REGISTRY[name].kind == "classifier" else architecture.model)(meaning.facts)
    generator = torch.Generator().manual_seed(seed)
    return {key: 0.1 * torch.randn(tensor.shape, generator=generator) for key, tensor in network.state_dict().items()}


@pytest.fixture(autouse=True)
def small_registry(monkeypatch, tmp_path):
    """The registry with small networks, its host a folder of this machine."""
    low = {"128_512_upsampler": 8}
    for name, entry in list(REGISTRY.items()):
        flags = dict(entry.flags) | SMALL
        small = dataclasses.replace(entry, flags=flags, size=16, low_size=low.get(name), num_classes=entry.num_classes)
        monkeypatch.setitem(REGISTRY, name, dataclasses.replace(small, sha256=None))
    (tmp_path / "host/jul-2021").mkdir(parents=True)
    monkeypatch.setattr(_released, "HOST", f"file://{tmp_path}/host")
    monkeypatch.chdir(tmp_path)


KINDS = ["64x64_diffusion", "256x256_diffusion_uncond", "128x128_classifier", "128_512_upsampler"]


@pytest.mark.parametrize("name", KINDS)
def test_a_released_file_becomes_an_artifact(name, tmp_path):
    state = state_of(name)
    torch.save(state, tmp_path / f"host/jul-2021/{name}.pt")
    out = import_checkpoint(name)
    assert out.resolve() == tmp_path / f"checkpoints/{name}.safetensors"
    provenance, entry = read_provenance(out), REGISTRY[name]
    spec, facts = provenance["spec"], provenance["facts"]
    weights = "raw" if entry.kind == "classifier" else "ema"
    held = load_file(out)
    assert spec["weights"] == weights and held.keys() == {f"{weights}.{key}" for key in state}
    assert all(torch.equal(held[f"{weights}.{key}"], tensor) for key, tensor in state.items())
    assert provenance["sha256"] == sha256(out)
    assert provenance["inputs"] == {"checkpoint": sha256(tmp_path / f"host/jul-2021/{name}.pt")}
    assert facts["shape"] == [16, 16, 3] and facts["levels"] == 256 and facts["num_classes"] == 1000
    assert facts.get("low_size") == spec.get("low_size") == entry.low_size
    assert facts["source"]["flags"] == entry.flags and facts["source"]["url"] == entry.url
    assert facts["source"]["is_the_published_file"] == "unknown sha256"
    # The download was no artifact and is gone.
    assert list((tmp_path / ".cache/released").iterdir()) == []
    imported = Imported.read(spec)
    architecture, held = Architecture.of(imported), Held.of(imported, checked({"weights": out}))
    if entry.kind == "classifier":
        load_classifier(architecture, held, held.facts, torch.device("cpu"))
    else:
        load_model(architecture, held, torch.device("cpu"), full_chain=False)


def test_a_file_at_hand_and_the_flags_of_a_name(tmp_path):
    # Old PyTorch's format, half precision.
    state = {key: tensor.half() for key, tensor in state_of("64x64_diffusion").items()}
    torch.save(state, tmp_path / "mine.pt", _use_new_zipfile_serialization=False)
    out = import_checkpoint("mine.pt", name="64x64_diffusion")
    assert out.name == "mine.safetensors"
    held = load_file(out)
    assert all(tensor.dtype == torch.float32 for tensor in held.values())
    assert torch.equal(held["ema.out.2.bias"], state["out.2.bias"].float())


def test_a_file_of_the_same_flags_is_not_recorded_as_the_published_one(tmp_path, monkeypatch):
    torch.save(state_of("256x256_diffusion_uncond"), tmp_path / "mine.pt")
    for known, same in ((sha256(tmp_path / "mine.pt"), True), ("0" * 64, False), (None, "unknown sha256")):
        entry = dataclasses.replace(REGISTRY["256x256_diffusion_uncond"], sha256=known)
        monkeypatch.setitem(REGISTRY, entry.name, entry)
        out = import_checkpoint("mine.pt", name=entry.name)
        assert read_provenance(out)["facts"]["source"]["is_the_published_file"] == same


SPEC = {
    "network": {"channels": 16, "channel_multipliers": [1, 2], "residual_blocks": 1, "attention_resolutions": [4]}
    | {"norm_groups": 8, "heads": 2},
    "timesteps": 100,
    "schedule": "cosine",
    "variance": "learned_range",
    "objective": "hybrid",
    "shape": [8, 8, 1],
    "num_classes": 10,
    "levels": 17,
    "weights": "raw",
    "key": "model",
}


def saved_spec(tmp_path, **changes):
    content = {key: value for key, value in (SPEC | changes).items() if value is not None}
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(content))
    return tmp_path / "spec.yaml"


@pytest.fixture
def own_state(tmp_path):
    from diffbench.networks.unet import Unet

    options = SPEC["network"] | {"channel_multipliers": (1, 2), "attention_resolutions": (4,)}
    return Unet(**options).build((1, 8, 8), None, True).state_dict()


@pytest.mark.parametrize("form", ["pt", "safetensors"])
def test_flags_from_a_yaml(tmp_path, own_state, form):
    file = tmp_path / f"own.{form}"
    if form == "pt":
        torch.save({"model": own_state, "step": 7}, file)
    else:
        save_file(own_state, file)
    spec_file = saved_spec(tmp_path, key="model" if form == "pt" else None)
    out = import_checkpoint(str(file), spec_file=spec_file, out=tmp_path / "a.safetensors")
    provenance = read_provenance(out)
    assert provenance["spec"]["diffusion"]["schedule"] == "cosine" and provenance["spec"]["weights"] == "raw"
    assert provenance["spec"]["objective"]["name"] == "hybrid" and provenance["facts"]["levels"] == 17
    imported = Imported.read(provenance["spec"])
    held = Held.of(imported, checked({"weights": out}))
    model = load_model(Architecture.of(imported), held, torch.device("cpu"), full_chain=True)
    assert len(model.chain) == 100


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shape": None}, "'shape' is missing"),
        ({"shape": [8, 8]}, "shape: [8, 8] is not a list"),
        ({"schedul": "cosine"}, "unknown key 'schedul'; did you mean 'schedule'?"),
        ({"schedule": "cosin"}, "schedule: 'cosin' is not allowed"),
        ({"low_size": 4}, "low_size goes with network super_resolution"),
        ({"network": {"channel": 3}}, "network: unknown key 'channel'"),
        ({"network": "transformer"}, "no network 'transformer'"),
        ({"weights": "avg"}, "weights: 'avg' is not allowed"),
        ({"num_classes": "ten"}, "num_classes: 'ten' is not a whole number"),
        ({"key": "ema"}, "nothing under 'ema'; say which with 'key': model"),
        ({"key": "step"}, "holds no tensors by name under 'step'; say which with 'key': model"),
        (
            {"network": SPEC["network"] | {"residual_blocks": 2}},
            "probably residual_blocks (1 in the file, 2 in the network)",
        ),
        ({"variance": "fixed_large", "objective": "simple"}, "probably variance ("),
    ],
    ids=lambda value: "" if isinstance(value, str) else next(iter(value)),
)
def test_flags_that_are_wrong_are_one_line(tmp_path, own_state, changes, message):
    torch.save({"model": own_state, "step": 7}, tmp_path / "own.pt")
    with pytest.raises(UserError) as caught:
        import_checkpoint("own.pt", spec_file=saved_spec(tmp_path, **changes))
    assert message in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "checkpoints").exists()


class Payload:
    """An object whose pickle runs a command, if it is loaded without protection."""

    def __reduce__(self):
        return os.system, ("touch executed",)


def damaged(kind, state, path):
    if kind == "payload":
        torch.save(state | {"out.2.bias": Payload()}, path)
    elif kind == "plain pickle":
        path.write_bytes(pickle.dumps({"a": Payload()}))
    elif kind == "module":
        torch.save(torch.nn.Linear(2, 2), path)
    elif kind == "truncated":
        torch.save(state, path)
        path.write_bytes(path.read_bytes()[:-1000])
    elif kind == "truncated, old format":
        torch.save(state, path, _use_new_zipfile_serialization=False)
        path.write_bytes(path.read_bytes()[:-1000])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("404: not found")
    elif kind == "list":
        torch.save([1, 2], path)
    elif kind == "nan":
        torch.save(state | {"out.2.bias": state["out.2.bias"] * torch.nan}, path)
    elif kind == "another architecture":
        torch.save({"layer.weight": torch.zeros(2, 2)}, path)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("payload", "wants to run posix.system; refused, nothing of it was executed"),
        ("plain pickle", "nothing of it was executed"),
        ("module", "wants to run torch.nn.modules.linear.Linear; refused"),
        ("truncated", "not a whole PyTorch file"),
        ("truncated, old format", "not a whole PyTorch file"),
        ("empty", "not a whole PyTorch file"),
        ("text", "not a file of tensors, or a truncated one; nothing of it was executed"),
        ("list", "holds no tensors by name"),
        ("nan", "weight 'out.2.bias' has entries that are not finite"),
        ("another architecture", "none of its names is the network's: the file has "),
    ],
)
def test_a_bad_file_is_one_line_runs_nothing_and_costs_nothing(tmp_path, kind, message):
    from diffbench.cli import app
    from diffbench.stages._command import run_stage

    state = state_of("64x64_diffusion")
    torch.save(state, tmp_path / "good.pt")
    out = import_checkpoint("good.pt", name="64x64_diffusion", out=tmp_path / "a.safetensors")
    before = {path.name: path.read_bytes() for path in (out, tmp_path / "a.safetensors.json")}
    damaged(kind, state, tmp_path / "bad.pt")

    def run(_):
        app(["import", "bad.pt", "--as", "64x64_diffusion", "--out", "a.safetensors"], standalone_mode=False)

    with pytest.raises(SystemExit) as caught:
        run_stage(run)
    assert caught.value.code == 2
    with pytest.raises(UserError) as refused:
        import_checkpoint("bad.pt", name="64x64_diffusion", out=out)
    assert message in str(refused.value) and "\n" not in str(refused.value)
    assert not (tmp_path / "executed").exists()
    assert before == {path.name: path.read_bytes() for path in tmp_path.glob("a.safetensors*")}


def test_a_download_that_fails_is_one_line(tmp_path, monkeypatch):
    said = r"64x64_diffusion.pt: cannot be downloaded \(.*\); fetch it where there is network access, then `diffbench import"
    with pytest.raises(UserError, match=said):
        import_checkpoint("64x64_diffusion")
    monkeypatch.setattr(_released, "HOST", "http://localhost:9")
    with pytest.raises(UserError, match=r"cannot be downloaded \(.*refused"):
        import_checkpoint("64x64_diffusion")
    assert not list(tmp_path.rglob("*.safetensors")) and not list(tmp_path.rglob("*.tmp"))


def test_a_download_of_other_bytes_is_refused_where_the_hash_is_published(tmp_path, monkeypatch):
    name = "256x256_diffusion_uncond"
    file = tmp_path / f"host/jul-2021/{name}.pt"
    torch.save(state_of(name), file)
    monkeypatch.setitem(REGISTRY, name, dataclasses.replace(REGISTRY[name], sha256="0" * 64))
    with pytest.raises(UserError, match="not the published bytes"):
        import_checkpoint(name)
    assert not list((tmp_path / ".cache/released").iterdir()) and not (tmp_path / "checkpoints").exists()
    monkeypatch.setitem(REGISTRY, name, dataclasses.replace(REGISTRY[name], sha256=sha256(file)))
    assert import_checkpoint(name).is_file()


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("64x64_difusion", {}, "did you mean '64x64_diffusion'"),
        ("files/mine.pt", {}, "files/mine.pt: no such file or folder"),
        ("mine.pt", {"name": "64x64_diffusion"}, "mine.pt: no such file or folder"),
        ("here.pt", {}, "weights do not say what they mean; add --as NAME"),
        ("here.pt", {"name": "64x64"}, "'64x64' is no released checkpoint"),
        ("here.pt", {"name": "64x64_diffusion", "spec_file": "a.yaml"}, "both say what the weights mean"),
        (".", {"name": "64x64_diffusion"}, "which describes itself"),
        (".", {}, "config.json: cannot be read"),
    ],
)
def test_what_cannot_be_imported_is_one_line(tmp_path, source, options, message):
    (tmp_path / "here.pt").touch()
    with pytest.raises(UserError) as caught:
        import_checkpoint(source, **options)
    assert message in str(caught.value)


def test_the_command(tmp_path):
    from diffbench.cli import app

    torch.save(state_of("64x64_diffusion"), tmp_path / "mine.pt")
    ran = CliRunner().invoke(app, ["import", "mine.pt", "--as", "64x64_diffusion", "--out", "a.safetensors"])
    assert ran.exit_code == 0 and "{checkpoint: a.safetensors}" in ran.output
    assert json.loads((tmp_path / "a.safetensors.json").read_text())["facts"]["source"]["name"] == "64x64_diffusion"
    listed = CliRunner().invoke(app, ["import", "--list"])
    assert listed.exit_code == 0 and "lsun_horse_nodropout" in listed.output
    for wrong in (["import", "a", "--list"], ["import", "mine.pt", "--out", "a.pt"]):
        assert isinstance(CliRunner().invoke(app, wrong).exception, UserError)
    without = CliRunner().invoke(app, ["import"])
    assert without.exit_code == 2 and "say what: a released name" in without.output


@pytest.mark.parametrize("name", ["64x64_diffusion", "128_512_upsampler"])
def test_what_was_imported_is_sampled_like_anything_else(name, tmp_path):
    torch.save(state_of(name), tmp_path / "mine.pt")
    weights = import_checkpoint("mine.pt", name=name, out=tmp_path / "a.safetensors")
    recorded = read_provenance(weights)["spec"]
    spec = {key: recorded[key] for key in ("network", "diffusion", "weights")}
    spec |= {"sampler": {"name": "ancestral"}, "spacings": ["2"], "num_images": 3, "seed": 0, "threads": 1}
    spec |= {"sampling": {"micro_batch": 2, "clip_x_0": True, "rounding": "truncate"}, "labels": "balanced"}
    low_res = None
    if REGISTRY[name].low_size is not None:
        low_res = tmp_path / "low.npz"
        save_npz(low_res, {"arr_0": np.zeros((3, 8, 8, 3), np.uint8), "arr_1": np.arange(3)})
        write_provenance(low_res, spec={})
    sample_set(
        SampleJob.read(spec), weights, tmp_path / "out.npz", device="cpu", low_res=low_res, cache=tmp_path / "cache"
    )
    assert read_member(tmp_path / "out.npz", "arr_0").shape == (3, 16, 16, 3)
    assert read_member(tmp_path / "out.npz", "arr_1").tolist() == [0, 1, 2]
    assert read_provenance(tmp_path / "out.npz")["inputs"]["weights"] == sha256(weights)
