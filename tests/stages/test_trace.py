"""trace: samples on their way to the image, and the images between two of a sample set."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from diffbench.base.digests import sha256
from diffbench.base.errors import UserError
from diffbench.base.images import truncated
from diffbench.base.provenance_file import read_provenance
from diffbench.base.seeds import Stream
from diffbench.jobs.sample import SamplerPart
from diffbench.jobs.trace import Generation, Interpolation, TraceJob
from diffbench.jobs.train import TrainJob
from diffbench.stages.sample import sample_set
from diffbench.stages.trace import groups_of, main, trace
from diffbench.stages.train import train

torch.set_num_threads(1)

GENERATION = Generation(steps=5, num_images=3, points=3)
INTERPOLATION = Interpolation(steps=4, rows=2, columns=4)


def traced(sampled, **changes):
    """Return the job that follows samples of a sample set's job."""
    own = ("network", "diffusion", "weights", "labels", "sampling", "seed", "threads")
    held = {name: getattr(sampled, name) for name in own}
    return TraceJob(**held | {"generation": GENERATION, "interpolation": INTERPOLATION} | changes)


def arrays(path):
    with np.load(path) as content:
        return {name: content[name] for name in content}


def samples(job, weights, folder, sampler, steps, **changes):
    job = dataclasses.replace(job, sampler=SamplerPart(sampler), spacings=(str(steps),), **changes)
    sample_set(job, weights, folder / "samples.npz", device="cpu", cache=folder / "cache")
    return arrays(folder / "samples.npz")


@pytest.fixture(scope="module")
def conditional(tmp_path_factory, jobs, data):
    """Weights of a class-conditional model, and the job of its sample sets."""
    folder = tmp_path_factory.mktemp("conditional")
    network = {"class_conditional": True}
    train_job = TrainJob.read(jobs("train", network=network).as_json())
    train(
        train_job,
        data / "train.npz",
        folder / "w.safetensors",
        folder / "log.csv",
        device="cpu",
        cache=folder / "cache",
    )
    return folder / "w.safetensors", jobs("sample", network=network, labels="iid")


def test_the_ends_of_an_interpolation_are_images_of_the_ddim_set(jobs, weights, tmp_path):
    job = jobs("sample")
    trace(traced(job), weights, tmp_path / "trace.npz", device="cpu")
    found, expected = arrays(tmp_path / "trace.npz"), samples(job, weights, tmp_path, "ddim", 4)["arr_0"]
    assert found["interpolation_images"].shape == (2, 4, 8, 8, 1)
    assert found["interpolation_index"].tolist() == [[0, 1], [2, 3]]
    for row, (first, last) in enumerate(found["interpolation_index"]):
        assert np.array_equal(found["interpolation_images"][row, 0], expected[first])
        assert np.array_equal(found["interpolation_images"][row, -1], expected[last])
    # What is between them is neither.
    assert len(np.unique(found["interpolation_images"][0].reshape(4, -1), axis=0)) == 4


def test_the_ends_of_one_class_are_images_of_that_class_in_the_set(conditional, tmp_path):
    weights, job = conditional
    trace(traced(job), weights, tmp_path / "trace.npz", device="cpu")
    found = arrays(tmp_path / "trace.npz")
    expected = samples(job, weights, tmp_path, "ddim", 4, num_images=1 + int(found["interpolation_index"].max()))
    assert found["interpolation_labels"].tolist() == [0, 1] and found["generation_labels"].tolist() == [0, 1, 2]
    for images, label, ends in zip(
        found["interpolation_images"], found["interpolation_labels"], found["interpolation_index"], strict=True
    ):
        assert expected["arr_1"][ends].tolist() == [label, label]
        assert np.array_equal(images[[0, -1]], expected["arr_0"][ends])


def test_generation_ends_at_the_samples_and_starts_from_their_noise(jobs, weights, tmp_path):
    job = jobs("sample", sampling={"micro_batch": 3})
    trace(traced(job), weights, tmp_path / "trace.npz", device="cpu")
    found, expected = arrays(tmp_path / "trace.npz"), samples(job, weights, tmp_path, "ancestral", 5)["arr_0"]
    # Three images are one micro-batch in both, so not even the last bit is another.
    assert np.array_equal(found["generation_samples"], expected[:3])
    assert found["generation_x_0"].shape == found["generation_x_t"].shape == (3, 3, 8, 8, 1)
    assert found["generation_step"].tolist() == [0, 2, 4] and (np.diff(found["generation_sigma"]) < 0).all()
    assert np.allclose(found["generation_alpha"] ** 2 + found["generation_sigma"] ** 2, 1)
    noise = Stream(job.seed, "x_T").normal(torch.arange(3), 0, (1, 8, 8))
    assert np.array_equal(found["generation_x_t"][:, 0], truncated(noise))
    # The last step takes the mean, which is nearly the x_0 that was predicted.
    assert np.abs(found["generation_x_0"][:, -1].astype(int) - found["generation_samples"]).max() <= 2


def test_the_same_bytes_twice_and_a_record_without_a_date(jobs, weights, tmp_path):
    spec = json.dumps(traced(jobs("sample")).as_json())
    for name in ("a", "b"):
        out = ["--out", str(tmp_path / f"{name}.npz"), "--run-record", str(tmp_path / f"{name}.run.json")]
        main(["--spec", spec, "--weights", str(weights), "--device", "cpu", *out])
    assert sha256(tmp_path / "a.npz") == sha256(tmp_path / "b.npz")
    recorded = read_provenance(tmp_path / "a.npz")
    assert recorded["spec"] == json.loads(spec) and set(recorded["inputs"]) == {"weights"}
    assert json.loads((tmp_path / "a.run.json").read_text())["num_images"] == 3 + 8


def test_groups_are_of_one_class_and_the_classes_take_turns():
    drawn = torch.tensor([4, 0, 4, 0, 4, 4, 9])

    def labels(index):
        return drawn[index % len(drawn)]

    assert groups_of(None, 2, 3).tolist() == [[0, 1], [2, 3], [4, 5]]
    assert groups_of(labels, 1, 4).tolist() == [[1], [0], [6], [3]]
    assert groups_of(labels, 2, 4).tolist() == [[1, 3], [0, 2], [6, 13], [8, 10]]
    with pytest.raises(UserError, match="too few have one class"):
        groups_of(lambda index: index * 0, 20_001, 1)


@pytest.mark.parametrize(
    ("field", "changes", "words"),
    [
        ("generation", {"sampler": SamplerPart("probability_flow")}, "step by step"),
        ("generation", {"steps": 1001, "points": 2}, "1001"),
        ("interpolation", {"sampler": SamplerPart("ancestral")}, "ancestral draws noise"),
        ("interpolation", {"sampler": SamplerPart("ddim", {"eta": 0.5})}, "ddim draws noise"),
    ],
)
def test_what_cannot_be_followed_is_one_line(failing, jobs, weights, tmp_path, field, changes, words):
    job = traced(jobs("sample"))
    job = dataclasses.replace(job, **{field: dataclasses.replace(getattr(job, field), **changes)})
    given = ["--weights", weights, "--device", "cpu", "--out", tmp_path / "t.npz", "--spec", json.dumps(job.as_json())]
    assert words in failing(main, given) and not (tmp_path / "t.npz").exists()


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("generation", {"num_images": 0}),
        ("generation", {"points": 1}),
        ("generation", {"points": 6, "steps": 5}),
        ("interpolation", {"columns": 1}),
        ("interpolation", {"rows": 0}),
    ],
)
def test_a_number_that_makes_no_sense_is_named(jobs, field, changes):
    spec = traced(jobs("sample")).as_json()
    spec[field] |= changes
    with pytest.raises(UserError, match=rf"--spec.{field}: .*{next(iter(changes))}"):
        TraceJob.read(spec)


def test_an_upsampler_is_refused(failing, jobs, weights, tmp_path):
    record = json.loads(weights.with_name(f"{weights.name}.json").read_text())
    copy = tmp_path / "w.safetensors"
    copy.write_bytes(weights.read_bytes())
    record["facts"]["low_size"] = 4
    from diffbench.base.provenance_file import write_recorded

    write_recorded(copy.with_name(f"{copy.name}.json"), record)
    spec = json.dumps(traced(jobs("sample")).as_json())
    assert "an upsampler" in failing(main, ["--weights", copy, "--out", tmp_path / "t.npz", "--spec", spec])
