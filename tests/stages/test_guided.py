"""Guided sampling as a stage: labels, the order of its operations, its cost, and classifiers that do not fit."""

import json
import shutil

import numpy as np
import pytest
import torch

from diffbench.base.arrays import read_member
from diffbench.base.digests import sha256
from diffbench.base.provenance_file import read_provenance, write_recorded
from diffbench.base.seeds import Stream
from diffbench.benchmark.jobs import sample_job, train_classifier_job
from diffbench.benchmark.sample_set import SampleSet
from diffbench.diffusion.denoiser import Condition
from diffbench.diffusion.parameterization import Prediction
from diffbench.jobs.sample import SampleJob
from diffbench.jobs.train import TrainJob
from diffbench.jobs.weights_facts import WeightsFacts
from diffbench.stages._drawing import guided_denoiser, wanted_of
from diffbench.stages.sample import main, sample_set
from diffbench.stages.train import train


@pytest.fixture(scope="module")
def classifier(tmp_path_factory, smoke, data):
    """A classifier of the process of `iddpm` (cosine), after a few steps of training."""
    folder = tmp_path_factory.mktemp("classifier")
    spec = train_classifier_job(smoke, "noisy", 0).as_json()
    spec["diffusion"]["schedule"] = "cosine"
    spec["training"] |= {"steps": 30, "log_every": 15}
    path = folder / "weights.safetensors"
    train(TrainJob.read(spec), data / "train.npz", path, folder / "log.csv", device="cpu", cache=folder / "cache")
    return path


@pytest.fixture
def guided_spec(smoke, specs):
    """guided_spec(scale, **changes) -> a spec of `iddpm`, unconditional, guided by the classifier."""

    def spec(scale, sampler="ancestral", **changes):
        found = specs("sample", **changes)
        found["sampler"] = {"name": sampler}
        guided = sample_job(smoke, SampleSet("adm_g", "ancestral", 3, 0, 0, 7, ())).as_json()
        found["classifier"] = guided["classifier"]
        found["classifier"]["diffusion"]["schedule"] = "cosine"
        found["guidance"] = {"name": "classifier", "scale": scale}
        found["spacings"] = ["3"]
        return found

    return spec


def sampled(spec, weights, classifier, out, tmp_path):
    sample_set(SampleJob.read(spec), weights, out, classifier=classifier, device="cpu", cache=tmp_path / "cache")
    return np.asarray(read_member(out, "arr_0"))


def test_the_log_has_accuracies_by_noise_level(classifier):
    lines = (classifier.parent / "log.csv").read_text().splitlines()
    head = "step,loss,gradient_norm,gradient_noise,learning_rate,accuracy_q0,accuracy_q1,accuracy_q2,accuracy_q3"
    assert lines[0] == head
    assert len(lines) == 3 and all(0 <= float(cell) <= 1 for cell in lines[-1].split(",")[5:])


@pytest.mark.parametrize("sampler", ["ancestral", "ddim"])
def test_guidance_changes_images_and_scale_zero_none(guided_spec, weights, classifier, specs, tmp_path, sampler):
    strong = sampled(guided_spec(30.0, sampler), weights, classifier, tmp_path / "a.npz", tmp_path)
    none = sampled(guided_spec(0.0, sampler), weights, classifier, tmp_path / "b.npz", tmp_path)
    plain = specs("sample", spacings=["3"])
    plain["sampler"] = {"name": sampler}
    assert np.array_equal(none, sampled(plain, weights, None, tmp_path / "c.npz", tmp_path))
    assert not np.array_equal(none, strong)


def test_the_classifiers_cost_is_counted_beside_nfe(guided_spec, weights, classifier, tmp_path):
    sampled(guided_spec(1.0), weights, classifier, tmp_path / "a.npz", tmp_path)
    provenance = read_provenance(tmp_path / "a.npz")
    facts = provenance["facts"]
    assert facts["nfe"] == facts["classifier_evaluations"] == 3
    assert facts["flops_per_evaluation"] > 0 and facts["flops_per_classifier_evaluation"] > 0
    assert provenance["inputs"] == {"weights": sha256(weights), "classifier": sha256(classifier)}
    sampled(guided_spec(0.0), weights, classifier, tmp_path / "b.npz", tmp_path)
    assert read_provenance(tmp_path / "b.npz")["facts"]["classifier_evaluations"] == 0


def test_images_do_not_depend_on_how_they_are_batched(guided_spec, weights, classifier, tmp_path):
    whole = sampled(guided_spec(2.0), weights, classifier, tmp_path / "a.npz", tmp_path)
    fewer = sampled(guided_spec(2.0, num_images=4), weights, classifier, tmp_path / "b.npz", tmp_path)
    assert np.array_equal(whole[:4], fewer)


@pytest.mark.parametrize("labels", ["iid", "balanced"])
def test_labels_of_an_unconditional_model_are_the_classifiers(guided_spec, weights, classifier, tmp_path, labels):
    spec = guided_spec(1.0) | {"labels": labels}
    sampled(spec, weights, classifier, tmp_path / "a.npz", tmp_path)
    k = torch.arange(7)
    wanted = k % 10 if labels == "balanced" else Stream(0, "label").integers(k, 0, 10)
    assert np.array_equal(read_member(tmp_path / "a.npz", "arr_1"), wanted.numpy())


def test_balanced_labels_go_round(guided_spec):
    job = SampleJob.read(guided_spec(1.0) | {"labels": "balanced"})
    wanted = wanted_of(job, WeightsFacts(shape=(8, 8, 1), levels=17, num_classes=3), labelled=True)
    assert wanted(torch.tensor([0, 1, 2, 3, 7])).y.tolist() == [0, 1, 2, 0, 1]


def outside(x, level, condition):
    """A model that predicts x_0 = 3 everywhere and says what it was asked."""
    outside.asked.append(condition)
    x_0 = torch.full_like(x, 3.0)
    eps = (x - float(level.alpha) * x_0) / float(level.sigma)
    return Prediction(x_0=x_0, eps=eps)


def test_the_gradient_comes_after_clipping_and_is_not_clipped(guided_spec, smoke):
    outside.asked = []
    x, level = torch.zeros(2, 1, 2, 2), smoke.models["iddpm"].diffusion.chain("10").level(5)
    push = torch.full_like(x, 4.0)
    given = Condition(y=torch.tensor([1, 2]))
    jobs = {scale: SampleJob.read(guided_spec(scale)) for scale in (1.0, 2.0)}
    model = (outside, lambda *a: push)
    by_eps = guided_denoiser(jobs[1.0], *model, takes_labels=False, applies_gradient=False)(x, level, given)
    alpha, sigma = float(level.alpha), float(level.sigma)
    torch.testing.assert_close(by_eps.x_0, torch.full_like(x, 1 + sigma**2 / alpha * 4))
    by_mean = guided_denoiser(jobs[2.0], *model, takes_labels=False, applies_gradient=True)(x, level, given)
    assert torch.equal(by_mean.x_0, torch.ones_like(x)) and torch.equal(by_mean.gradient, 2 * push)
    # The model is unconditional: labels are the classifier's alone.
    assert [asked.y for asked in outside.asked] == [None, None]


def arguments(spec, weights, classifier, out):
    given = ["--spec", json.dumps(spec), "--weights", weights, "--out", out, "--device", "cpu"]
    return given + (["--classifier", classifier] if classifier else []) + ["--cache", out.parent / "cache"]


def test_a_classifier_goes_with_its_guidance(guided_spec, specs, weights, classifier, tmp_path, failing):
    plain = specs("sample", spacings=["3"])
    for spec, path in ((guided_spec(1.0), None), (plain, classifier)):
        said = failing(main, arguments(spec, weights, path, tmp_path / "a.npz"))
        assert "--classifier: goes with a spec whose guidance has a classifier, and only with it" in said


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("num_classes", 7, "classes 7, and the model's 10"),
        ("shape", [4, 4, 1], "the image shape [4, 4, 1], and the model's [8, 8, 1]"),
        ("images_sha256", "abc", "images abc, and the model's"),
    ],
)
def test_a_classifier_of_other_data_is_one_line(guided_spec, weights, classifier, tmp_path, failing, key, value, words):
    path = tmp_path / "other.safetensors"
    shutil.copy(classifier, path)
    provenance = json.loads((classifier.parent / f"{classifier.name}.json").read_text())
    provenance["facts"][key] = value
    write_recorded(tmp_path / "other.safetensors.json", provenance)
    said = failing(main, arguments(guided_spec(1.0), weights, path, tmp_path / "a.npz"))
    assert f"{path}: a classifier of another data set: {words}" in said


def test_a_classifier_whose_images_nobody_recorded_guides(guided_spec, weights, classifier, tmp_path):
    """For released weights, and for your own, the shape and the classes are known, but not the images."""
    path = tmp_path / "released.safetensors"
    shutil.copy(classifier, path)
    provenance = json.loads((classifier.parent / f"{classifier.name}.json").read_text())
    del provenance["facts"]["images_sha256"]
    write_recorded(tmp_path / "released.safetensors.json", provenance)
    found = sampled(guided_spec(30.0), weights, path, tmp_path / "a.npz", tmp_path)
    assert np.array_equal(found, sampled(guided_spec(30.0), weights, classifier, tmp_path / "b.npz", tmp_path))


def test_a_classifier_of_another_chain_is_one_line(guided_spec, weights, classifier, tmp_path, failing):
    spec = guided_spec(1.0)
    spec["classifier"]["diffusion"]["schedule"] = "linear"
    said = failing(main, arguments(spec, weights, classifier, tmp_path / "a.npz"))
    assert "the classifier was trained at 1000 noise levels and was asked about another one" in said


def test_weights_of_a_model_are_no_classifiers(guided_spec, weights, tmp_path, failing):
    said = failing(main, arguments(guided_spec(1.0), weights, weights, tmp_path / "a.npz"))
    assert "does not fit the network" in said


# -- without a classifier


def test_classifier_free_guidance_from_training_to_samples(specs, data, tmp_path):
    labels = {"class_conditional": True, "null_label": True}
    spec = specs("train", network=labels)
    # Fast steps: the network starts as if there were no labels, and must move away from that.
    spec["training"] |= {"steps": 40, "warmup_steps": 0, "learning_rate": 5e-3, "label_dropout": 0.2}
    weights = tmp_path / "weights.safetensors"
    train(
        TrainJob.read(spec), data / "train.npz", weights, tmp_path / "log.csv", device="cpu", cache=tmp_path / "cache"
    )
    found, costs = {}, {}
    for scale in (0.0, 1.0, 3.0):
        spec = specs("sample", network=labels, spacings=["3"])
        spec["guidance"] = {"name": "classifier_free", "scale": scale}
        found[scale] = sampled(spec, weights, None, tmp_path / f"{scale}.npz", tmp_path)
        costs[scale] = read_provenance(tmp_path / f"{scale}.npz")["facts"]["nfe"]
    spec["guidance"] = None
    assert np.array_equal(found[1.0], sampled(spec, weights, None, tmp_path / "plain.npz", tmp_path))
    assert costs == {0.0: 3, 1.0: 3, 3.0: 6}
    assert not np.array_equal(found[0.0], found[1.0]) and not np.array_equal(found[1.0], found[3.0])
