"""sample: what it writes, and that a killed run ends as if it had not been killed."""

import json
import shutil
import signal

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from diffbench.base.digests import sha256
from diffbench.base.errors import UserError
from diffbench.base.inputs import checked
from diffbench.base.plugins import configure, described, load
from diffbench.base.provenance import write_provenance
from diffbench.base.provenance_file import read_provenance
from diffbench.jobs.sample import SampleJob
from diffbench.stages import sample as stage
from diffbench.stages.sample import main, sample_set

torch.set_num_threads(1)


def arguments(spec, weights, folder, *more, out="p3.npz"):
    return [
        *("--spec", json.dumps(spec), "--weights", weights, "--out", folder / out),
        *("--cache", folder / "cache", "--device", "cpu", *more),
    ]


@pytest.fixture(scope="module")
def sampled(tmp_path_factory, specs, weights):
    folder = tmp_path_factory.mktemp("samples")
    for spacing in ("3", "2"):
        given = arguments(specs("sample", spacings=[spacing]), weights, folder, out=f"p{spacing}.npz")
        main([str(a) for a in (*given, "--run-record", folder / f"r{spacing}.json")])
    return folder


def images(path):
    with np.load(path) as arrays:
        assert list(arrays) == ["arr_0"]
        return arrays["arr_0"]


def test_images_and_provenance(sampled, specs, weights):
    for name, spacing, steps in (("p3", "3", 3), ("p2", "2", 2)):
        record = json.loads((sampled / f"r{spacing}.json").read_text())
        assert (record["num_images"], record["image_steps"]) == (7, 7 * steps)
        found = images(sampled / f"{name}.npz")
        assert found.shape == (7, 8, 8, 1) and found.dtype == np.uint8
        assert len({image.tobytes() for image in found}) == 7
        provenance = read_provenance(sampled / f"{name}.npz")
        assert provenance["spec"] == specs("sample") | {"spacings": [spacing]}
        assert provenance["inputs"] == {"weights": sha256(weights)}
        assert provenance["facts"]["nfe"] == steps and provenance["facts"]["flops_per_evaluation"] > 10_000
        assert provenance["facts"]["device"] == "cpu"
    assert not list((sampled / "cache").rglob("*.npz"))


def call(spec, weights, folder, out):
    sample_set(SampleJob.read(spec), weights, folder / out, device="cpu", cache=folder / "cache")


def test_an_image_does_not_depend_on_number_or_company(sampled, specs, weights, tmp_path):
    call(specs("sample", spacings=["2"], num_images=4), weights, tmp_path, "a.npz")
    assert np.array_equal(images(tmp_path / "a.npz"), images(sampled / "p2.npz")[:4])


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"weights": "raw"}, {"sampler": {"name": "ddim", "eta": 0.5}}], ids=str
)
def test_what_is_asked_changes_the_bytes(sampled, specs, weights, tmp_path, change):
    call(specs("sample", **({"spacings": ["3"]} | change)), weights, tmp_path, "a.npz")
    assert not np.array_equal(images(tmp_path / "a.npz"), images(sampled / "p3.npz"))


def test_a_scheduler_of_diffusers_gives_the_samplers_images_and_its_version(sampled, specs, weights, tmp_path):
    pytest.importorskip("diffusers")
    spec = specs("sample", spacings=["3"])
    part = configure(load("samplers", "diffusers:DDPMScheduler"), {"variance_type": "learned_range"}, "x")
    spec["sampler"] = json.loads(json.dumps(described(part, "diffusers:DDPMScheduler")))
    call(spec, weights, tmp_path, "a.npz")
    difference = images(tmp_path / "a.npz").astype(int) - images(sampled / "p3.npz")
    assert np.abs(difference).max() <= 1 and (difference == 0).mean() > 0.99
    provenance = read_provenance(tmp_path / "a.npz")
    assert provenance["versions"]["diffusers"] and provenance["facts"]["nfe"] == 3
    assert provenance["spec"]["sampler"]["variance_type"] == "learned_range"


def test_roundings_differ_by_at_most_one_level(sampled, specs, weights, tmp_path):
    call(specs("sample", spacings=["3"], sampling={"rounding": "round"}), weights, tmp_path, "a.npz")
    difference = images(tmp_path / "a.npz").astype(int) - images(sampled / "p3.npz")
    assert set(np.unique(difference)) == {0, 1}


KILLED = """
import os, signal, sys
import diffbench.stages._shards as shards
import diffbench.stages.sample as stage
from diffbench.stages._command import run_stage
moment, count = sys.argv.pop(1), 0
def killed_at_its_moment(write):
    def counted(*given):
        global count
        count += 1
        if count == int(moment):
            os.kill(os.getpid(), signal.SIGKILL)
        return write(*given)
    return counted
# Micro-batches are saved whole, and a set is written piece by piece.
shards.save_npz, stage.writing_npz = map(killed_at_its_moment, (shards.save_npz, stage.writing_npz))
run_stage(stage.main, sys.argv[1:])
"""


@pytest.mark.parametrize("damage", [lambda b: b[:300], lambda b: b[:250] + bytes([b[250] ^ 8]) + b[251:]])
def test_a_damaged_micro_batch_is_sampled_again(sampled, specs, weights, tmp_path, python, damage, monkeypatch):
    given = [str(a) for a in arguments(specs("sample"), weights, tmp_path)]
    python(KILLED, 3, *given, cwd=tmp_path)
    (shard,) = (tmp_path / "cache").rglob("3.npz")
    shard.write_bytes(damage(shard.read_bytes()))
    starts, original = [], stage.sample_batch
    monkeypatch.setattr(stage, "sample_batch", lambda *a, **k: starts.append(int(k["index"][0])) or original(*a, **k))
    main(given)
    assert starts == [3, 6]
    for name in ("p3.npz", "p3.npz.json"):
        assert sha256(tmp_path / name) == sha256(sampled / name)


# Three micro-batches and the set itself are four files: the first, the third micro-batch, and the set.
@pytest.mark.parametrize("moment", [1, 3, 4])
def test_killed_and_started_again_ends_with_equal_bytes(sampled, specs, weights, tmp_path, python, moment, monkeypatch):
    given = [str(a) for a in arguments(specs("sample"), weights, tmp_path)]
    assert python(KILLED, moment, *given, cwd=tmp_path).returncode == -signal.SIGKILL
    assert not (tmp_path / "p3.npz").exists()
    kept = sorted(path.name for path in (tmp_path / "cache").rglob("*.npz"))
    assert kept == ["0.npz", "3.npz", "6.npz"][: moment - 1]
    starts = []
    original = stage.sample_batch
    monkeypatch.setattr(stage, "sample_batch", lambda *a, **k: starts.append(int(k["index"][0])) or original(*a, **k))
    main(given)
    for name in ("p3.npz", "p3.npz.json"):
        assert sha256(tmp_path / name) == sha256(sampled / name)
    # What was done before is not done again.
    assert starts == [0, 3, 6][moment - 1 :]


def test_two_jobs_of_other_spacings_do_not_lock_each_other_out(specs, weights, tmp_path, monkeypatch):
    # Every number of steps is a job of its own, and they run side by side.
    original, started = stage.drawing_of, []

    def drawing_of(*arguments):
        if not started:
            started.append(1)
            call(specs("sample", spacings=["2"]), weights, tmp_path, "b.npz")
        return original(*arguments)

    monkeypatch.setattr(stage, "drawing_of", drawing_of)
    call(specs("sample", spacings=["3"]), weights, tmp_path, "a.npz")
    assert (tmp_path / "a.npz").exists() and (tmp_path / "b.npz").exists()


def test_missing_weights_and_missing_provenance(specs, weights, tmp_path, failing):
    assert "none.safetensors: no such file" in failing(
        main, arguments(specs("sample"), tmp_path / "none.safetensors", tmp_path)
    )
    shutil.copy(weights, tmp_path / "w.safetensors")
    said = failing(main, arguments(specs("sample"), tmp_path / "w.safetensors", tmp_path))
    assert "w.safetensors.json: missing" in said


def copied(weights, folder, content=None, tensors=None):
    path = folder / "w.safetensors"
    if tensors is None:
        path.write_bytes(content)
    else:
        save_file(tensors, path)
    write_provenance(path, spec={}, facts=read_provenance(weights)["facts"])
    return path


@pytest.mark.parametrize("content", [b"", b"not safetensors at all", None])
def test_corrupt_weights_are_one_line(specs, weights, tmp_path, failing, content):
    path = copied(weights, tmp_path, weights.read_bytes()[:-10] if content is None else content)
    said = failing(main, arguments(specs("sample"), path, tmp_path))
    assert f"{path}: not a whole safetensors file" in said and "train the model again" in said
    assert not (tmp_path / "p3.npz").exists()


def test_weights_of_another_network_are_one_line(specs, weights, tmp_path, failing):
    said = failing(main, arguments(specs("sample", network={"channels": 16}), weights, tmp_path))
    assert f"{weights}: does not fit the network" in said
    tensors = {name: tensor for name, tensor in load_file(weights).items() if name.startswith("raw.")}
    path = copied(weights, tmp_path, tensors=tensors)
    assert "does not fit the network" in failing(main, arguments(specs("sample"), path, tmp_path))


def test_weights_that_are_not_finite_are_one_line(specs, weights, tmp_path, failing):
    tensors = {name: torch.full_like(tensor, float("nan")) for name, tensor in load_file(weights).items()}
    path = copied(weights, tmp_path, tensors=tensors)
    said = failing(main, arguments(specs("sample"), path, tmp_path))
    assert "sampler Ancestral: step 0 returned values that are not finite" in said
    assert not (tmp_path / "p3.npz").exists()


def test_a_job_of_several_sets_is_one_line(specs, weights, tmp_path, failing):
    spec = specs("sample", spacings=["3", "2"])
    assert "spacings must be a list of one, not of 2" in failing(main, arguments(spec, weights, tmp_path))


def test_too_many_steps(specs, weights, tmp_path, failing):
    spec = specs("sample", spacings=["1001"])
    assert "1001 steps asked of a section of 1000" in failing(main, arguments(spec, weights, tmp_path))


def test_one_step(specs, weights, tmp_path):
    call(specs("sample", spacings=["1"]), weights, tmp_path, "a.npz")
    assert images(tmp_path / "a.npz").shape == (7, 8, 8, 1)
    assert read_provenance(tmp_path / "a.npz")["facts"]["nfe"] == 1


def test_an_adaptive_solver_counts_each_images_own_evaluations(specs, weights, tmp_path):
    sampler = {"name": "probability_flow", "rtol": 0.05, "atol": 0.05}
    spec = specs("sample", spacings=[""], off_grid="interpolate", num_images=7) | {"sampler": sampler}
    call(spec, weights, tmp_path, "a.npz")
    facts = read_provenance(tmp_path / "a.npz")["facts"]
    # The batch runs until its last image is done, and each image's own evaluations are fewer or as many.
    assert 10 < facts["nfe"] <= facts["nfe_max"] <= facts["nfe_evaluated"]
    call(spec | {"num_images": 3}, weights, tmp_path, "b.npz")
    assert np.array_equal(images(tmp_path / "b.npz"), images(tmp_path / "a.npz")[:3])


def test_levels_between_those_trained_at_need_a_rule(specs, weights, tmp_path):
    heun = specs("sample", spacings=["karras3 sigma_max=5"]) | {"sampler": {"name": "heun"}}
    with pytest.raises(UserError, match="off_grid: interpolate or nearest"):
        call(heun, weights, tmp_path, "a.npz")
    for rule in ("interpolate", "nearest"):
        call(heun | {"off_grid": rule}, weights, tmp_path, f"{rule}.npz")
        # Heun evaluates twice a step but for the last.
        assert read_provenance(tmp_path / f"{rule}.npz")["facts"]["nfe"] == 5


def test_the_error_of_x_0_comes_from_the_bound_and_goes_with_samplers_that_need_it(specs, weights, tmp_path):
    analytic = specs("sample", spacings=["3"]) | {"sampler": {"name": "analytic_ancestral"}}
    with pytest.raises(UserError, match="--terms"):
        call(analytic, weights, tmp_path, "a.npz")
    terms = tmp_path / "terms.npz"
    np.savez(terms, timesteps=np.array([[0, 5, 9]] * 2), x_0_mse=np.array([[0.01, 0.1, 0.3]] * 2))
    write_provenance(terms, spec={}, inputs=checked({"weights": weights}))
    given = {"device": "cpu", "cache": tmp_path, "terms": terms}
    sample_set(SampleJob.read(analytic), weights, tmp_path / "a.npz", **given)
    assert set(read_provenance(tmp_path / "a.npz")["inputs"]) == {"weights", "terms"}
    write_provenance(terms, spec={}, inputs=checked({"weights": __file__}, foreign=["weights"]))
    with pytest.raises(UserError, match="the bound of other weights"):
        sample_set(SampleJob.read(analytic), weights, tmp_path / "c.npz", **given)
    with pytest.raises(UserError, match="only with them"):
        sample_set(SampleJob.read(specs("sample", spacings=["3"])), weights, tmp_path / "b.npz", **given)


def test_evaluations_are_counted_whatever_a_sampler_says_of_them(specs, weights, tmp_path, monkeypatch):
    (tmp_path / "boasting.py").write_text(
        "from dataclasses import dataclass, replace\nimport torch\nfrom diffbench.samplers.ddim import Ddim\n"
        "@dataclass(frozen=True)\nclass Boaster(Ddim):\n"
        "    def __call__(self, denoiser, chain, x_T, noise):\n"
        "        for state in super().__call__(denoiser, chain, x_T, noise):\n"
        "            yield replace(state, nfe=torch.ones(len(x_T)))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    call(specs("sample", spacings=["3"]) | {"sampler": {"name": "boasting.Boaster"}}, weights, tmp_path, "a.npz")
    assert read_provenance(tmp_path / "a.npz")["facts"]["nfe"] == 3


def test_memory_decides_how_many_images_are_taken_at_once(specs, weights, tmp_path, monkeypatch, capsys):
    spec = specs("sample")
    asked, small = ({"micro_batch": 5, "fit_memory": True}, {"micro_batch": 2})
    given = [SampleJob.read(spec | {"sampling": spec["sampling"] | settings}) for settings in (asked, small)]
    own = stage.sample_batch

    def limited(*arguments, **more):
        if len(more["index"]) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return own(*arguments, **more)

    monkeypatch.setattr(stage, "sample_batch", limited)
    for name, job in zip(("fitted", "small"), given, strict=True):
        sample_set(job, weights, tmp_path / f"{name}.npz", device="cpu", cache=tmp_path / "cache")
    assert images(tmp_path / "fitted.npz").tobytes() == images(tmp_path / "small.npz").tobytes()
    facts = [read_provenance(tmp_path / f"{name}.npz")["facts"] for name in ("fitted", "small")]
    assert facts[0].pop("micro_batch") == 2 and facts[0] == facts[1]
    assert "5 images at once do not fit into memory; 2 are tried" in capsys.readouterr().err
    with pytest.raises(UserError, match="out of memory: 5 images at once do not fit; lower sampling.micro_batch"):
        too_many = SampleJob.read(spec | {"sampling": spec["sampling"] | {"micro_batch": 5}})
        sample_set(too_many, weights, tmp_path / "none.npz", device="cpu", cache=tmp_path / "cache")
