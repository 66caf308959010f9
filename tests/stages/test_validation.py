"""The validation loss of a training: it moves no byte of the weights, resumes, and is that of the saved weights."""

import dataclasses
import json
import signal

import numpy as np
import pytest
import torch

from diffbench.base.arrays import read_member
from diffbench.base.digests import sha256
from diffbench.base.images import to_float
from diffbench.base.provenance_file import read_provenance
from diffbench.base.seeds import Stream
from diffbench.commands.verify.rerun import made_again
from diffbench.diffusion.micro_batches import spread
from diffbench.diffusion.process import noised
from diffbench.jobs.model import Trained
from diffbench.jobs.weights_facts import WeightsFacts
from diffbench.stages._model import Architecture, Held, load_model
from diffbench.stages._validation_file import read_validation
from diffbench.stages.train import main
from diffbench.training.settings import Validation

FILES = ("weights.safetensors", "log.csv", "validation.npz")
ASKED = Validation(every=2, timesteps=3, num_images=11)


def measured(job, data, folder, *more):
    files = {"--data": data / "train.npz", "--held-out": data / "test.npz", "--cache": folder / "cache"}
    names = {"--out": FILES[0], "--log-csv": FILES[1], "--validation": FILES[2]}
    files |= {option: folder / name for option, name in names.items()}
    given = (part for pair in files.items() for part in pair)
    return [str(part) for part in ("--spec", json.dumps(job.as_json()), *given, "--device", "cpu", *more)]


@pytest.fixture(scope="module")
def job(jobs):
    return dataclasses.replace(jobs("train"), validation=ASKED)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, job, data):
    made = tmp_path_factory.mktemp("measured")
    main(measured(job, data, made))
    return made


def test_weights_and_log_have_the_bytes_of_a_training_without_it(folder, weights):
    for name in FILES[:2]:
        assert sha256(folder / name) == sha256(weights.parent / name)


def test_the_last_measurement_is_that_of_the_saved_average(folder, job, data):
    found = read_validation(folder / "validation.npz")
    assert found.step.tolist() == [2, 4, 6] and found.images_seen.tolist() == [16, 32, 48]
    assert found.timesteps.tolist() == [0, 333, 666] and found.losses.shape == (3, 11, 3)
    assert found.losses.dtype == np.float32
    architecture, path = Architecture.of(job), folder / "weights.safetensors"
    facts = WeightsFacts.recorded(read_provenance(path))
    trained = Trained(network=job.network, diffusion=job.diffusion, weights="ema")
    model = load_model(architecture, Held(path, facts, trained.weights), torch.device("cpu"), full_chain=True)
    index = spread(500, 11)
    x_0 = to_float(read_member(data / "test.npz", "arr_0")[index.numpy()], torch.device("cpu"))
    for place, t in enumerate(found.timesteps.tolist()):
        eps = Stream(0, "validation").normal(index, place, (1, 8, 8))
        level = model.chain.level(999 - t)
        assert (found.alphas[place], found.sigmas[place]) == (level.alpha, level.sigma)
        errors = ((model(noised(x_0, level, eps), level).eps - eps) ** 2).mean(dim=(1, 2, 3))
        np.testing.assert_allclose(found.losses[-1, :, place], errors, rtol=2e-5)
    assert not np.array_equal(found.losses[0], found.losses[-1])
    record = read_provenance(folder / "validation.npz")
    assert record["inputs"] == {name: sha256(data / f"{file}.npz") for name, file in IN_FILES.items()}
    assert record["spec"] == job.as_json() and record["facts"]["device"] == "cpu"


IN_FILES = {"data": "train", "held_out": "test"}


def test_the_operations_are_those_of_table_1(folder, job, data):
    from torch.utils.flop_counter import FlopCounterMode

    facts = WeightsFacts.recorded(read_provenance(folder / "weights.safetensors"))
    network = Architecture.of(job).model(facts)
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 1, 8, 8), torch.zeros(1), None, None)
    found = read_validation(folder / "validation.npz")
    assert found.training_flops.tolist() == [3.0 * counter.get_total_flops() * images for images in (16, 32, 48)]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_and_started_again_ends_with_equal_bytes(folder, job, data, tmp_path, python, killing, moment):
    call = measured(job, data, tmp_path, "--checkpoint-every", 1)
    assert python(killing, moment, *call, cwd=tmp_path).returncode == -signal.SIGKILL
    main(call)
    for name in FILES:
        assert sha256(tmp_path / name) == sha256(folder / name)
        assert sha256(tmp_path / f"{name}.json") == sha256(folder / f"{name}.json")


def test_a_job_that_does_not_ask_for_it_keeps_its_identity(jobs):
    assert "validation" not in jobs("train").as_json()


def test_upsamplers_and_models_of_classes_are_measured_too(jobs, data, tmp_path):
    for model in ("adm", "upsampler"):
        small = tmp_path / model
        small.mkdir()
        main(measured(dataclasses.replace(jobs("train", model), validation=ASKED), data, small))
        found = read_validation(small / "validation.npz")
        assert found.losses.shape == (3, 11, 3) and np.isfinite(found.losses).all()


def test_verify_makes_it_again(job, data, folder, tmp_path):
    home = tmp_path
    (home / "results").mkdir()
    for name in ("train", "test"):
        for ending in (".npz", ".npz.json"):
            (home / f"results/{name}{ending}").write_bytes((data / f"{name}{ending}").read_bytes())
    made = home / "results/models/iddpm/train0"
    made.mkdir(parents=True)
    main(measured(job, home / "results", made))
    path = made / "validation.npz"
    record = read_provenance(path) | {"places": {name: f"results/{of}.npz" for name, of in IN_FILES.items()}}
    again = made_again(home, {path: record}, 1, 0)
    assert again.bad == [] and "made again, the same bytes" in again.notes[0]


@pytest.mark.parametrize(
    ("asked", "left_out", "message"),
    [
        (ASKED, "--held-out", "--held-out is missing; the spec asks for a validation loss"),
        (ASKED, "--validation", "--validation is missing; the spec asks for a validation loss"),
        (None, "--held-out", "--validation: the spec asks for no validation loss; leave it out"),
        (Validation(timesteps=1001), None, "validation: 1001 timesteps asked for, and the training chain has 1000"),
    ],
)
def test_what_does_not_fit_is_one_line(jobs, data, tmp_path, failing, asked, left_out, message):
    call = measured(dataclasses.replace(jobs("train"), validation=asked), data, tmp_path)
    if left_out is not None:
        at = call.index(left_out)
        del call[at : at + 2]
    assert message in failing(main, call)
    assert not (tmp_path / "weights.safetensors").exists()


def test_a_classifier_has_none(jobs, data, tmp_path, failing):
    spec = jobs("train").as_json() | {"validation": {"every": 2}}
    del spec["objective"]
    call = measured(jobs("train"), data, tmp_path)
    call[call.index("--spec") + 1] = json.dumps(spec)
    assert "a classifier has no validation loss" in failing(main, call)
