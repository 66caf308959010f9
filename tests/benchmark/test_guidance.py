"""Guided models in a benchmark's file: what they mean, and one line for what cannot be."""

import copy

import pytest
import yaml

from diffbench.benchmark.jobs import train_classifier_job, train_job
from diffbench.benchmark.load import parse_benchmark

SMALL = yaml.safe_load("""
benchmark: small
dataset: {name: digits}
models:
  adm:
    network: {channels: 16, channel_multipliers: [1, 2], attention_resolutions: [4], norm_groups: 8, class_conditional: true}
    timesteps: 100
    training: {steps: 10}
  plain: {base: adm, network: {class_conditional: false}}
  adm_g: {of: adm, guidance: {name: classifier, classifier: noisy, scale: 2.0}, labels: balanced}
  plain_g: {of: plain, guidance: {name: classifier, classifier: noisy}}
  free: {base: adm, network: {null_label: true}, training: {label_dropout: 0.1}}
  free_g: {of: free, guidance: {name: classifier_free, scale: 3.0}}
classifiers:
  noisy:
    network: {encoder: {channels: 16, channel_multipliers: [1, 2], attention_resolutions: [4], head_channels: 8, norm_groups: 8}}
    timesteps: 100
    training: {steps: 10}
samplers: {ancestral: {}, ddim: {}}
protocols:
  digits: {extractor: digits_features}
  labelled: {extractor: digits_features, metrics: [fid, classification_accuracy]}
runs:
  - {models: [adm, adm_g, plain_g], samplers: [ancestral], steps: [5], num_images: 20, protocols: [labelled], train_seeds: [0, 1]}
  - {models: [adm_g, free_g, plain], samplers: [ddim], steps: [5], num_images: 20, protocols: [digits], guidance_scales: [0, 2, 0.25]}
""")


def parsed(*path, value=None):
    content = copy.deepcopy(SMALL)
    place = content
    for key in path[:-1]:
        place = place[key]
    if path:
        place[path[-1]] = value
    return parse_benchmark(content, "small.yaml")


def test_nothing_is_trained_twice():
    benchmark = parsed()
    assert benchmark.trained_models() == [("adm", 0), ("adm", 1), ("plain", 0), ("plain", 1), ("free", 0)]
    assert benchmark.trained_classifiers() == [("noisy", 0), ("noisy", 1)]
    assert benchmark.bounded_models() == [("adm", 0), ("adm", 1), ("plain", 0)]


def test_a_sweep_stands_in_the_place_of_the_own_scale():
    benchmark = parsed()
    swept = [row.model for row in benchmark.sample_sets() if row.sampler == "ddim"]
    assert swept == ["adm_g@0", "adm_g", "adm_g@0.25", "free_g@0", "free_g@2", "free_g@0.25", "plain"]
    scales = [benchmark.variant(name).guidance.part.scale for name in swept[:-1]]
    assert scales == [0.0, 2.0, 0.25, 0.0, 2.0, 0.25]
    assert benchmark.variant("adm_g@0.25").of == "adm" and benchmark.variant("adm").guidance is None


def test_labels_are_for_those_that_take_them():
    models = parsed().models
    assert {name: model.labels for name, model in models.items()} == {
        "adm": "iid",
        "plain": None,
        "adm_g": "balanced",
        "plain_g": "iid",
        "free": "iid",
        "free_g": "iid",
    }


def test_a_guided_job_holds_what_guides_it(sampled):
    benchmark = parsed()
    job = sampled(benchmark, "adm_g@0.25", "ddim", 5)
    assert job.as_json()["guidance"] == {"name": "classifier", "scale": 0.25} and job.as_json()["labels"] == "balanced"
    assert (
        job.as_json()["classifier"]["network"]["pool"] == "attention"
        and job.as_json()["classifier"]["weights"] == "raw"
    )
    assert set(job.modules()) == {
        *("diffbench.stages.sample", "diffbench.networks.unet", "diffbench.samplers.ddim"),
        *("diffbench.guidance.classifier", "diffbench.networks.noisy_classifier"),
    }
    free = sampled(benchmark, "free_g", "ddim", 5)
    assert (
        free.as_json()["guidance"] == {"name": "classifier_free", "scale": 3.0} and free.as_json()["classifier"] is None
    )
    plain = sampled(benchmark, "plain", "ddim", 5)
    assert (plain.as_json()["guidance"], plain.as_json()["classifier"], plain.as_json()["labels"]) == (None, None, None)
    # What guides does not decide what is trained.
    other = parsed("models", "adm_g", "guidance", "scale", value=9.0)
    assert train_job(other, "adm", 0) == train_job(benchmark, "adm", 0)
    assert train_classifier_job(other, "noisy", 0) == train_classifier_job(benchmark, "noisy", 0)
    assert "objective" not in train_classifier_job(benchmark, "noisy", 0).as_json()


WRONG = {
    "no classifier": (("models", "adm_g", "guidance"), {"name": "classifier"}, "models.adm_g.guidance: guidance without a classifier; add 'classifier', one of: noisy"),
    "misspelt classifier": (("models", "adm_g", "guidance", "classifier"), "nosy", "models.adm_g.guidance.classifier: no classifier 'nosy'; did you mean 'noisy'?"),
    "classifier no name": (("models", "adm_g", "guidance", "classifier"), {"a": 1}, "models.adm_g.guidance.classifier: {'a': 1} is not the name"),
    "no classifiers at all": (("classifiers",), {}, "classifiers: must be a map of named entries"),
    "another schedule": (("classifiers", "noisy", "schedule"), "cosine", "classifier: noisy knows the noise of schedule cosine, and the model's is linear"),
    "another chain": (("classifiers", "noisy", "timesteps"), 50, "classifier: noisy knows the noise of timesteps 50, and the model's is 100"),
    "labels of an unconditional model": (("models", "plain", "labels"), "iid", "models.plain.labels: an unconditional model takes none"),
    "unknown labels": (("models", "adm", "labels"), "sorted", "models.adm.labels: 'sorted' is not allowed; allowed: iid, balanced, as_in_data"),
    "negative scale": (("models", "adm_g", "guidance", "scale"), -1.0, "models.adm_g.guidance: scale must not be negative, it is -1"),
    "negative scale in a sweep": (("runs", 1, "guidance_scales"), [1, -0.5], "runs[1].guidance_scales: adm_g: scale must not be negative, it is -0.5"),
    "text in a sweep": (("runs", 1, "guidance_scales"), ["x"], "runs[1].guidance_scales[0]: 'x' is not a number"),
    "a sweep of nothing": (("runs", 1, "models"), ["adm"], "runs[1].guidance_scales: no model of the run is guided"),
    "guidance unknown": (("models", "adm_g", "guidance"), {"name": "clasifier", "classifier": "noisy"}, "models.adm_g.guidance: no guidance 'clasifier'; did you mean 'classifier'?"),
    "guidance key": (("models", "adm_g", "guidance", "scal"), 1.0, "models.adm_g.guidance: unknown key 'scal'; did you mean 'scale'?"),
    "guidance a number": (("models", "adm_g", "guidance"), 3, "models.adm_g.guidance: 'name' is missing"),
    "trained key beside of": (("models", "adm_g", "training"), {"steps": 3}, "models.adm_g.training: has no place beside 'of', which trains nothing; allowed: guidance, labels, low_res, weights"),
    "inherited trained key": (("models", "more"), {"base": "adm_g", "schedule": "cosine"}, "models.more.schedule: has no place beside 'of'"),
    "of nothing": (("models", "adm_g", "of"), "amd", "models.adm_g.of: no model 'amd'; did you mean 'adm'?"),
    "of a guided model": (("models", "more"), {"of": "adm_g"}, "models.more.of: adm_g has no weights of its own; name the model it is of, adm"),
    "of itself": (("models", "adm_g", "of"), "adm_g", "models.adm_g: base goes in a circle"),
    "free without the row": (("models", "free_g", "of"), "adm", "models.free_g.guidance: classifier_free needs predictions without a label too"),
    "free with a classifier": (("models", "free_g", "guidance", "classifier"), "noisy", "models.free_g.guidance.classifier: guidance classifier_free uses none"),
    "row without dropout": (("models", "free", "training"), {}, "models.free: training.label_dropout and network.null_label go together"),
    "dropout without row": (("models", "adm", "training", "label_dropout"), 0.1, "training.label_dropout and network.null_label go together; label_dropout is 0.1 and null_label false"),
    "classifier key": (("classifiers", "noisy", "objective"), "simple", "classifiers.noisy: unknown key 'objective'"),
    "classifier network": (("classifiers", "noisy", "network"), "unet", "classifiers.noisy.network: unet is no classifier; use noisy_classifier"),
    "crops of images": (("classifiers", "noisy", "training", "random_crop"), True, "classifiers.noisy.training.random_crop: data set digits has no picture files to cut from; leave it out"),
    "crops for a model": (("models", "adm", "training", "random_crop"), True, "models.adm.training.random_crop: data set digits has no picture files"),
    "classifier dropout": (("classifiers", "noisy", "training", "label_dropout"), 0.1, "classifiers.noisy.training.label_dropout: a classifier is trained with every label"),
    "classifier weights": (("classifiers", "noisy", "weights"), "mean", "classifiers.noisy.weights: 'mean' is not allowed; allowed: ema, raw"),
    "classifier no map": (("classifiers", "noisy"), 3, "classifiers.noisy: must be a map"),
    "accuracy without labels": (("runs", 1, "protocols"), ["labelled"], "runs[1].protocols: labelled measures classification_accuracy, and samples of plain have no labels"),
}  # fmt: skip


@pytest.mark.parametrize(("path", "value", "message"), WRONG.values(), ids=WRONG.keys())
def test_a_mistake_is_one_line_that_names_file_and_key(path, value, message, refused):
    refused(lambda: parsed(*path, value=value), message)
