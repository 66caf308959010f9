"""Smaller models, upsamplers and cascades in a configuration: what they mean, and one line for what cannot be."""

import copy
import dataclasses

import pytest
import yaml

from diffbench.benchmark.jobs import train_job
from diffbench.benchmark.load import parse_benchmark

SMALL = yaml.safe_load("""
benchmark: small
dataset: {name: digits}
models:
  adm:
    network: {channels: 16, channel_multipliers: [1, 2], attention_resolutions: [4], norm_groups: 8, class_conditional: true}
    timesteps: 100
    variance: fixed_large
    objective: simple
    training: {steps: 10}
  low: {base: adm, size: 4, network: {attention_resolutions: [2]}}
  low_g: {of: low, guidance: {name: classifier, classifier: noisy}}
  plain: {base: low, network: {class_conditional: false}}
  upsampler: {base: adm, low_size: 4, network: {name: super_resolution}}
  adm_u: {of: upsampler, low_res: {model: low, sampler: ddim, steps: 7}}
  adm_gu: {of: upsampler, low_res: {model: low_g, sampler: ddim, steps: 7}}
  alone: {of: upsampler, low_res: real}
classifiers:
  noisy:
    size: 4
    timesteps: 100
    network: {encoder: {channels: 16, channel_multipliers: [1, 2], attention_resolutions: [2], head_channels: 8, norm_groups: 8}}
samplers:
  ancestral: {}
  ddim: {}
protocols:
  digits: {extractor: digits_features}
  labelled: {extractor: digits_features, metrics: [fid, classification_accuracy]}
runs:
  - {models: [adm, adm_u, adm_gu, alone], samplers: [ancestral], steps: [5], num_images: 20, sample_seeds: [0, 1], protocols: [digits]}
""")


def parsed(change=lambda content: None):
    content = copy.deepcopy(SMALL)
    change(content)
    return parse_benchmark(content, "small.yaml")


def model(name, **keys):
    return lambda content: content["models"][name].update(keys)


def places(sets):
    return [(row.model, row.sampler, row.steps, row.sample_seed) for row in sets]


def test_the_sets_that_upsamplers_start_from_are_sampled_and_are_no_rows():
    benchmark = parsed()
    rows = benchmark.sample_sets()
    assert {row.model for row in rows} == {"adm", "adm_u", "adm_gu", "alone"}
    further = benchmark.sampled_sets()[len(rows) :]
    assert sorted(places(further)) == [
        *(("low", "ddim", 7, 0), ("low", "ddim", 7, 1)),
        *(("low_g", "ddim", 7, 0), ("low_g", "ddim", 7, 1)),
    ]
    assert all(row.num_images == 20 and row.protocols == () for row in further)


def test_weights_classifiers_and_sizes_that_they_need():
    benchmark = parsed()
    assert benchmark.trained_models() == [("adm", 0), ("upsampler", 0), ("low", 0)]
    assert benchmark.trained_classifiers() == [("noisy", 0)]
    assert benchmark.shrunk_sizes() == [4]
    assert parsed(lambda c: c["runs"][0].update(models=["adm"])).shrunk_sizes() == []
    assert parsed(lambda c: c["runs"][0].update(models=["alone"])).shrunk_sizes() == [4]


def test_no_bound_for_models_whose_codelengths_do_not_compare():
    change = lambda c: c["runs"][0].update(models=["adm", "low", "adm_u", "alone"])  # noqa: E731
    assert parsed(change).bounded_models() == [("adm", 0)]


def test_a_row_that_is_also_a_base_is_one_set():
    def change(content):
        content["runs"].append({"models": ["low"], "samplers": ["ddim"], "steps": [7], "num_images": 20, "sample_seeds": [0, 1], "protocols": ["digits"]})  # fmt: skip

    benchmark = parsed(change)
    found = places(benchmark.sampled_sets())
    assert len(found) == len(set(found)) and found.count(("low", "ddim", 7, 0)) == 1


def test_an_upsampler_of_an_upsampler():
    def change(content):
        content["models"]["tiny"] = {"base": "adm", "size": 2, "network": {"attention_resolutions": [1]}}
        content["models"]["middle"] = {"base": "upsampler", "size": 4, "low_size": 2, "network": {"attention_resolutions": [2]}, "low_res": {"model": "tiny", "sampler": "ddim", "steps": 3}}  # fmt: skip
        content["models"]["adm_u"]["low_res"]["model"] = "middle"

    benchmark = parsed(change)
    assert {("middle", "ddim", 7, 0), ("tiny", "ddim", 3, 0)} <= set(places(benchmark.sampled_sets()))
    assert benchmark.labelled("adm_u") and benchmark.shrunk_sizes() == [2, 4]


def test_only_the_upsampler_is_told_of_pairs(sampled):
    benchmark = parsed()
    assert train_job(benchmark, "upsampler", 0).as_json()["low_size"] == 4
    assert "low_size" not in train_job(benchmark, "low", 0).as_json()
    spec = sampled(benchmark, "adm_u", "ancestral", 5).as_json()
    assert spec["low_res"] == {"model": "low", "sampler": "ddim", "steps": 7} and spec["labels"] is None
    assert "low_res" not in sampled(benchmark, "low", "ddim", 7).as_json()


def test_labels_are_the_bases():
    benchmark = parsed()
    assert all(map(benchmark.labelled, ("adm", "low", "adm_u", "adm_gu", "alone")))
    assert not benchmark.labelled("plain")


def test_what_an_upsampler_is_compared_with_is_the_rest_of_its_run():
    def change(content):
        content["runs"].append(content["runs"][0] | {"models": ["adm"], "steps": [5, 9]})

    rows = parsed(change).upsampling_rows()
    assert {(row.model, row.steps) for row in rows} == {("adm", 5), ("adm_u", 5), ("adm_gu", 5), ("alone", 5)}
    assert parsed(lambda c: c["runs"][0].update(models=["adm"])).upsampling_rows() == []


def low_res(**keys):
    return model("adm_u", low_res={"model": "low", "sampler": "ddim", "steps": 7} | keys)


WRONG = {
    "other size": (model("upsampler", low_size=2), "models.adm_u.low_res: low makes images of 4 pixels, and the upsampler is given those of 2 pixels; their sizes must be equal"),
    "base of full size": (low_res(model="adm"), "models.adm_u.low_res: adm makes images of the data set's own size, and the upsampler is given those of 4 pixels"),
    "no low_res": (lambda c: c["runs"][0].update(models=["upsampler"]), "runs[0].models: upsampler is an upsampler without 'low_res'; add a model {of: upsampler, low_res: ...}"),
    "low_res of a plain model": (model("adm", low_res="real"), "models.adm.low_res: this model takes no low-resolution images"),
    "low_res trains nothing": (model("low_g", low_res="real"), "models.low_g.low_res: this model takes no low-resolution images"),
    "low_size of a plain network": (model("adm", low_size=4), "models.adm.low_size: unet takes no low-resolution images; use super_resolution"),
    "network without low_size": (lambda c: c["models"]["upsampler"].pop("low_size"), "models.upsampler: network super_resolution needs low-resolution images; add 'low_size'"),
    "base without labels": (low_res(model="plain"), "models.adm_u.low_res: this upsampler needs labels, and samples of plain have none"),
    "misspelt base": (low_res(model="lwo"), "models.adm_u.low_res.model: no model 'lwo'; did you mean 'low'?"),
    "misspelt sampler": (low_res(sampler="dimm"), "models.adm_u.low_res.sampler: no sampler 'dimm'; did you mean 'ddim'?"),
    "misspelt key": (low_res(step=3), "models.adm_u.low_res: unknown key 'step'; did you mean 'steps'?"),
    "too many steps of the base": (low_res(steps=101), "models: low_res of low: steps: low with ddim: 101 steps asked of a chain of 100"),
    "no steps of the base": (model("adm_u", low_res={"model": "low"}), "models.adm_u.low_res: say how low is sampled: add 'sampler' and 'steps'"),
    "sampled real images": (low_res(model="real"), "models.adm_u.low_res: real images have neither sampler nor steps"),
    "low_res no map": (model("adm_u", low_res=3), "models.adm_u.low_res: 3 is not a map of options"),
    "size no number": (model("low", size="4"), "models.low.size: '4' is not a number of pixels"),
    "size nothing": (model("low", size=0), "models.low.size: 0 is not a number of pixels"),
    "low_size above size": (model("upsampler", size=4), "models.upsampler.low_size: 4 pixels are not below the model's own size, 4"),
    "size beside of": (model("low_g", size=2), "models.low_g.size: has no place beside 'of'"),
    "labels of an upsampler": (model("adm_u", labels="iid"), "models.adm_u.labels: an upsampler's labels come with its low-resolution images"),
    "classifier of another size": (lambda c: c["classifiers"]["noisy"].pop("size"), "models.low_g.guidance.classifier: noisy knows images of the data set's own size, and the model makes those of 4 pixels"),
    "upsampler under it without low_res": (lambda c: (c["models"].update(half={"base": "upsampler", "size": 4, "low_size": 2}), low_res(model="half")(c)), "models.adm_u.low_res.model: half is itself an upsampler without 'low_res'"),
    "numbers that disagree": (lambda c: c["runs"].append({"models": ["low"], "samplers": ["ddim"], "steps": [7], "num_images": 30, "protocols": ["digits"]}), "runs: adm_u needs 20 images of low with ddim at 7 steps, of which there are 30"),
    "labels are measured and there are none": (lambda c: (model("upsampler", network={"name": "super_resolution", "class_conditional": False})(c), low_res(model="plain")(c), c["runs"][0].update(models=["adm_u"], protocols=["labelled"])), "samples of adm_u have no labels"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=WRONG.keys())
def test_a_mistake_is_one_line_that_names_file_and_key(change, message, refused):
    refused(lambda: parsed(change), message)


def test_an_unlabelled_upsampler_takes_any_base():
    def change(content):
        model("upsampler", network={"name": "super_resolution", "class_conditional": False})(content)
        low_res(model="plain")(content)

    benchmark = parsed(change)
    assert not benchmark.labelled("adm_u") and benchmark.labelled("adm_gu")
    assert dataclasses.asdict(benchmark.models["alone"].low_res) == {"model": "real", "sampler": None, "steps": None}
