"""train: what it writes, and that a killed run ends as if it had not been killed."""

import csv
import json
import signal

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from diffbench.base.arrays import save_npz
from diffbench.base.digests import digest, sha256
from diffbench.base.errors import UserError
from diffbench.base.locks import exclusive
from diffbench.base.provenance import versions_of, write_provenance
from diffbench.base.provenance_file import read_provenance, write_recorded
from diffbench.stages.train import main, train
from diffbench.training.checkpoints import Checkpoints
from diffbench.training.loop import Trainer

torch.set_num_threads(1)


def arguments(job, data, folder, *more):
    return [
        *("--spec", json.dumps(job.as_json()), "--data", data, "--out", folder / "weights.safetensors"),
        *("--log-csv", folder / "log.csv", "--cache", folder / "cache", "--device", "cpu", *more),
    ]


def test_weights_log_and_provenance(weights, jobs, data):
    tensors = load_file(weights)
    raw, ema = ({n[4:] for n in tensors if n.startswith(p)} for p in ("raw.", "ema."))
    assert raw == ema and len(raw) + len(ema) == len(tensors)
    assert any(not torch.equal(tensors[f"raw.{name}"], tensors[f"ema.{name}"]) for name in raw)
    with open(weights.parent / "log.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["4", "6"]
    assert all(float(row["loss"]) > 0 and float(row["gradient_norm"]) > 0 for row in rows)
    provenance = read_provenance(weights)
    assert provenance["spec"] == jobs("train").as_json() and provenance["sha256"] == sha256(weights)
    assert provenance["inputs"] == {"data": sha256(data / "train.npz")}
    facts = provenance["facts"]
    assert (facts["shape"], facts["levels"], facts["num_classes"], facts["flip"]) == ([8, 8, 1], 17, 10, False)
    assert facts["parameters"] == sum(tensors[f"raw.{name}"].numel() for name in raw)
    assert (facts["device"], facts["precision"], provenance["threads"]) == ("cpu", "float32", 1)
    assert {"torch", "numpy", "python"} <= set(provenance["versions"])
    assert read_provenance(weights.parent / "log.csv")["inputs"] == provenance["inputs"]


def test_the_cache_is_empty_afterwards(weights):
    assert not [path for path in (weights.parent / "cache").rglob("*") if path.is_file()]


def test_a_second_run_gives_equal_bytes_and_a_run_record(weights, jobs, data, tmp_path):
    main([str(a) for a in arguments(jobs("train"), data / "train.npz", tmp_path, "--run-record", tmp_path / "r.json")])
    for name in ("weights.safetensors", "weights.safetensors.json", "log.csv", "log.csv.json"):
        assert sha256(tmp_path / name) == sha256(weights.parent / name)
    record = json.loads((tmp_path / "r.json").read_text())
    assert record["stage"] == "train" and record["images_per_second"] > 0 and record["seconds"] > 0


@pytest.mark.parametrize("moment", ["before", "during", "after"])
def test_killed_and_started_again_ends_with_equal_bytes(weights, jobs, data, tmp_path, python, killing, moment):
    call = [str(a) for a in arguments(jobs("train"), data / "train.npz", tmp_path, "--checkpoint-every", 1)]
    assert python(killing, moment, *call, cwd=tmp_path).returncode == -signal.SIGKILL
    assert not (tmp_path / "weights.safetensors").exists() and not (tmp_path / "log.csv").exists()
    *_, newest = sorted((tmp_path / "cache").rglob("*-*.pt"))
    assert torch.load(newest, weights_only=True)["step"] == {"before": 2, "during": 2, "after": 3}[moment]
    main(call)
    for name in ("weights.safetensors", "weights.safetensors.json", "log.csv"):
        assert sha256(tmp_path / name) == sha256(weights.parent / name)


def flipped(content):
    return content[:2000] + bytes([content[2000] ^ 1]) + content[2001:]


@pytest.mark.parametrize("damage", [flipped, lambda content: content[:2000], lambda content: b""])
@pytest.mark.parametrize("damaged", [1, 2], ids=["newest", "both"])
def test_a_damaged_checkpoint_is_set_aside_and_the_bytes_are_those_of_an_undisturbed_run(
    weights, jobs, data, tmp_path, capsys, python, killing, damage, damaged
):
    call = [str(a) for a in arguments(jobs("train"), data / "train.npz", tmp_path, "--checkpoint-every", 1)]
    python(killing, "after", *call, cwd=tmp_path)
    found = sorted((tmp_path / "cache").rglob("*-*.pt"), reverse=True)
    assert [path.name[:9] for path in found] == ["000000003", "000000002"]
    for path in found[:damaged]:
        path.write_bytes(damage(path.read_bytes()))
    main(call)
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("diffbench: ")]
    assert len(said) == damaged and all("a damaged checkpoint, set aside" in line for line in said)
    assert said[-1].endswith(
        ("training goes on from the checkpoint before", "training goes on from the start")[damaged - 1]
    )
    for name in ("weights.safetensors", "weights.safetensors.json", "log.csv"):
        assert sha256(tmp_path / name) == sha256(weights.parent / name)


def test_another_spec_or_flip_does_not_take_up_a_checkpoint(jobs, data, tmp_path, monkeypatch):
    steps, restored = [], Trainer.restore
    monkeypatch.setattr(Checkpoints, "remove", lambda self: None)

    def restore(self, state):
        steps.append(None if state is None else state["step"])
        restored(self, state)

    monkeypatch.setattr(Trainer, "restore", restore)
    for seed in (0, 0, 1):
        job = jobs("train", seed=seed, training={"steps": 2})
        train(job, data / "train.npz", tmp_path / "w", tmp_path / "l", device="cpu", cache=tmp_path)
    assert steps == [None, 2, None]
    # The same images, which may be flipped now: another training.
    flipped = tmp_path / "flipped.npz"
    flipped.write_bytes((data / "train.npz").read_bytes())
    recorded = read_provenance(data / "train.npz")
    recorded["facts"]["flip"] = not recorded["facts"]["flip"]
    write_recorded(tmp_path / "flipped.npz.json", recorded)
    train(job, flipped, tmp_path / "w", tmp_path / "l", device="cpu", cache=tmp_path)
    assert steps == [None, 2, None, None]


def test_a_second_writer_is_refused(jobs, data, tmp_path, failing):
    job, source = jobs("train"), data / "train.npz"
    spec = job.as_json()
    recorded = read_provenance(source)
    facts = {name: recorded["facts"][name] for name in ("shape", "levels", "num_classes", "flip")}
    seen = {"data": recorded["sha256"], "held_out": None, "facts": facts}
    key = digest({"spec": spec, **seen, "device": "cpu", "versions": versions_of(spec)})[:24]
    with exclusive(tmp_path / "cache/train" / key):
        assert "another process is at work there" in failing(main, arguments(job, source, tmp_path))
    assert not (tmp_path / "weights.safetensors").exists()


def test_missing_data_and_missing_provenance(jobs, data, tmp_path, failing):
    said = failing(main, arguments(jobs("train"), tmp_path / "none.npz", tmp_path))
    assert f"{tmp_path}/none.npz: no such file" in said
    (tmp_path / "train.npz").write_bytes((data / "train.npz").read_bytes())
    said = failing(main, arguments(jobs("train"), tmp_path / "train.npz", tmp_path))
    assert "train.npz.json: missing; run the stage that makes" in said


def test_a_loss_that_is_not_finite(jobs, data, tmp_path, failing):
    job = jobs("train", training={"learning_rate": 1e30, "warmup_steps": 0})
    said = failing(main, arguments(job, data / "train.npz", tmp_path))
    assert "training: the loss is" in said and "lower learning_rate" in said
    assert not (tmp_path / "weights.safetensors").exists()


def test_a_network_that_does_not_fit_the_data(jobs, data, tmp_path, failing):
    job = jobs("train", network={"channel_multipliers": [1.0] * 5})
    assert "cannot be halved 4 times" in failing(main, arguments(job, data / "train.npz", tmp_path))


def test_labels_are_needed_for_a_class_conditional_network(jobs, tmp_path, failing):
    save_npz(tmp_path / "d.npz", {"arr_0": np.zeros((9, 8, 8, 1), np.uint8)})
    facts = {"num_images": 9, "shape": [8, 8, 1], "levels": 256, "num_classes": None, "flip": True}
    write_provenance(tmp_path / "d.npz", spec={}, facts=facts)
    job = jobs("train", network={"class_conditional": True})
    said = failing(main, arguments(job, tmp_path / "d.npz", tmp_path))
    assert "d.npz: a classifier or a class-conditional network needs labels, and the data set has none" in said


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_cuda_where_there_is_none(jobs, data, tmp_path, failing):
    call = [*arguments(jobs("train"), data / "train.npz", tmp_path), "--device", "cuda"]
    assert "no usable CUDA device; use --device auto or cpu" in failing(main, call)


def test_a_folder_that_cannot_be_written(jobs, data, tmp_path, failing):
    (tmp_path / "cache").write_text("a file in the way")
    said = failing(main, arguments(jobs("train"), data / "train.npz", tmp_path))
    assert str(tmp_path / "cache") in said


def test_held_out_images_are_for_classifiers(jobs, data, tmp_path):
    given = arguments(jobs("train"), data / "train.npz", tmp_path, "--held-out", data / "test.npz")
    with pytest.raises(UserError, match="held-out images have no column in the log of a model"):
        main([str(argument) for argument in given])
