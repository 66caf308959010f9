"""Jobs in bf16: how far their results are from float32's, what their records say, and what is comparable."""

import json
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from diffbench.base.arrays import read_member
from diffbench.base.errors import UserError
from diffbench.base.numerics import DEFAULT_NUMERICS, Numerics
from diffbench.base.protocol_ids import fields_of
from diffbench.base.provenance import write_provenance
from diffbench.base.provenance_file import read_provenance
from diffbench.base.records import Row, read_records
from diffbench.jobs.extract import ExtractJob
from diffbench.jobs.score import BoundScoreJob, ProtocolPart, ScoreJob
from diffbench.metrics.fid import Fid
from diffbench.protocols.classifier import Classifier
from diffbench.stages._wide import read_wide
from diffbench.stages.bound import bound
from diffbench.stages.extract import extract
from diffbench.stages.sample import main, sample_set
from diffbench.stages.score import score_features, score_terms
from diffbench.stages.train import train

BF16 = Numerics("bf16")
EXTRACT = ExtractJob.read({"extractor": "digits_features", "threads": 1})
SHORT = {"steps": 6, "batch_size": 8, "log_every": 2}


@pytest.fixture(scope="module")
def moved(weights, tmp_path_factory):
    """Weights whose last layers are not nearly zero, as they are after six steps."""
    path = tmp_path_factory.mktemp("moved") / "weights.safetensors"
    stream = torch.Generator().manual_seed(0)
    held = {name: item + 0.1 * torch.randn(item.shape, generator=stream) for name, item in load_file(weights).items()}
    save_file(held, path)
    record = read_provenance(weights)
    write_provenance(path, spec=record["spec"], facts=record["facts"])
    return path


def trained(job, data, folder, **more):
    """Weights of a training, and its log beside them."""
    out = folder / "weights.safetensors"
    train(job, data / "train.npz", out, folder / "log.csv", device="cpu", cache=folder / "cache", **more)
    return out


def sampled(job, weights, path, numerics=DEFAULT_NUMERICS, **more):
    sample_set(replace(job, numerics=numerics, **more), weights, path, device="cpu", cache=path.parent / "cache")
    return path


def extracted(images, path, numerics=DEFAULT_NUMERICS):
    extract(replace(EXTRACT, numerics=numerics), images, path, device="cpu")
    return path


def test_weights_and_checkpoints_stay_in_float32_and_the_record_says_bf16(jobs, data, tmp_path):
    held = []
    for numerics in (DEFAULT_NUMERICS, BF16):
        folder = tmp_path / str(numerics)
        folder.mkdir()
        held.append(trained(jobs("train", training=SHORT, numerics=numerics), data, folder))
    exact, found = (load_file(path) for path in held)
    assert {tensor.dtype for tensor in found.values()} == {torch.float32}
    assert exact.keys() == found.keys() and any(not torch.equal(exact[name], found[name]) for name in exact)
    default, record = (read_provenance(path) for path in held)
    assert "numerics" not in default["spec"] and default["facts"]["precision"] == "float32"
    assert record["spec"]["numerics"]["precision"] == record["facts"]["precision"] == "bf16"


def test_a_killed_training_in_bf16_goes_on_exactly(jobs, data, tmp_path, python, killing):
    job = jobs("train", training=SHORT | {"steps": 8}, network={"dropout": 0.1}, numerics=BF16)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    whole.mkdir()
    cut.mkdir()
    call = ("--spec", json.dumps(job.as_json()), "--data", data / "train.npz", "--out", cut / "weights.safetensors")
    call += ("--log-csv", cut / "log.csv", "--cache", cut / "cache", "--device", "cpu", "--checkpoint-every", "1")
    assert python(killing, "during", *map(str, call), cwd=tmp_path).returncode == -signal.SIGKILL
    assert not (cut / "weights.safetensors").exists()
    *_, checkpoint = sorted((cut / "cache").rglob("*-*.pt"))
    network = torch.load(checkpoint, weights_only=True)["network"]
    assert {tensor.dtype for tensor in network.values()} == {torch.float32}
    assert trained(job, data, cut).read_bytes() == trained(job, data, whole).read_bytes()


def test_samples_and_bounds_in_bf16_are_recorded_and_other_bytes(jobs, data, moved, tmp_path):
    sets = [sampled(jobs("sample"), moved, tmp_path / f"{own}.npz", own) for own in (DEFAULT_NUMERICS, BF16)]
    images = [read_member(path, "arr_0") for path in sets]
    assert not np.array_equal(images[0], images[1])
    assert read_provenance(sets[1])["facts"]["precision"] == "bf16"
    costs = [read_provenance(path)["facts"] for path in sets]
    assert costs[0]["flops_per_evaluation"] == costs[1]["flops_per_evaluation"]
    terms = []
    for own in (DEFAULT_NUMERICS, BF16):
        terms.append(tmp_path / f"terms {own}.npz")
        bound(replace(jobs("bound"), numerics=own), moved, data / "test.npz", terms[-1], device="cpu")
    ids = []
    for path in terms:
        score_terms(BoundScoreJob(row=Row("b", "m", train_seed=0)), [path], path.with_suffix(".json"))
        ids.append(next(item["protocol"] for item in read_records([path.with_suffix(".json")])))
    assert ids[1] == f"{ids[0]};precision=bf16" and "precision" not in ids[0]


def test_features_in_another_precision_are_not_comparable_and_have_another_id(data, tmp_path):
    sides = {own: extracted(data / "test.npz", tmp_path / f"{own}.npz", own) for own in (DEFAULT_NUMERICS, BF16)}
    one, other = (read_member(path, "pool") for path in sides.values())
    assert one.dtype == other.dtype == np.float32 and 0 < np.abs(one - other).max() < 0.3
    job = ScoreJob(
        protocol=ProtocolPart.of(Classifier(extractor="digits_features", metrics=("fid",)), "classifier"),
        rounding="truncate",
        row=Row("b", "m", numerics="sample bf16"),
    )
    with pytest.raises(UserError, match="was extracted in bf16, .* in float32; not comparable: precision"):
        score_features(job, sides[BF16], sides[DEFAULT_NUMERICS], tmp_path / "x.json")
    ids = []
    for own, path in sides.items():
        score_features(job, path, path, tmp_path / f"{own}.json")
        (item,) = read_records([tmp_path / f"{own}.json"])
        assert item["numerics"] == "sample bf16"
        ids.append(fields_of(item["protocol"]))
    assert ids[1] == ids[0] | {"precision": "bf16"} and "precision" not in ids[0]


def test_an_extractor_whose_layout_cannot_be_changed_says_so(data, tmp_path, monkeypatch):
    extracted(data / "test.npz", tmp_path / "a.npz", Numerics(channels_last=True))
    monkeypatch.setattr("diffbench.extractors.digits_features.running", lambda network, device: lambda images: {})
    with pytest.raises(UserError, match=r"numerics.extract.channels_last: extractor digits_features does not say"):
        extracted(data / "test.npz", tmp_path / "b.npz", Numerics(channels_last=True))


def test_tf32_on_a_cpu_is_one_line(specs, weights, tmp_path, failing):
    spec = json.dumps(specs("sample") | {"numerics": {"precision": "tf32"}})
    said = failing(main, ["--spec", spec, "--weights", weights, "--out", tmp_path / "x.npz", "--device", "cpu"])
    assert "precision tf32" in said and "choose float32" in said and not (tmp_path / "x.npz").exists()


@pytest.mark.slow
def test_what_bf16_changes_is_less_than_what_chance_does(jobs, data, tmp_path):
    """The tolerances of docs/numerics.md: the loss of 200 steps, the samples, their FID, and the bound."""
    training = {"steps": 200, "batch_size": 32, "log_every": 20, "learning_rate": 2e-3, "ema_decay": 0.9}
    logs, held = [], []
    for numerics in (DEFAULT_NUMERICS, BF16):
        folder = tmp_path / str(numerics)
        folder.mkdir()
        held.append(trained(jobs("train", training=training, numerics=numerics), data, folder))
        logs.append(read_wide(folder / "log.csv")["loss"].to_numpy(float))
    assert np.abs(logs[1] / logs[0] - 1).max() < 0.01
    reference = {"pool": read_member(extracted(data / "train.npz", tmp_path / "reference.npz"), "pool")}
    scores, images = [], []
    for numerics in (DEFAULT_NUMERICS, BF16):
        path = tmp_path / f"samples {numerics}.npz"
        job = jobs("sample", sampling={"micro_batch": 50}, num_images=200, spacings=("10",))
        sampled(job, held[0], path, numerics)
        images.append(read_member(path, "arr_0").astype(float))
        features = extracted(path, path.with_suffix(".features.npz"))
        scores.append(Fid(features="pool")({"pool": read_member(features, "pool")}, reference))
    assert np.abs(images[0] - images[1]).mean() < 3
    assert abs(scores[0].value - scores[1].value) < (scores[0].high - scores[0].low) / 2
    bits = []
    for numerics in (DEFAULT_NUMERICS, BF16):
        path = tmp_path / f"terms {numerics}.npz"
        asked = jobs("bound", bound={"num_images": 50, "reconstructions": 0}, numerics=numerics)
        bound(asked, held[0], data / "test.npz", path, device="cpu")
        bits.append(read_member(path, "bits_per_dim"))
    assert abs(bits[0].mean() - bits[1].mean()) < bits[0].std(ddof=1) / len(bits[0]) ** 0.5
