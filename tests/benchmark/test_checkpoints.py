"""Checkpoints in a configuration: what a record completes, and one line for what contradicts it or cannot be."""

import copy
import json

import pytest
import yaml

from diffbench.base.errors import UserError
from diffbench.base.provenance_file import write_recorded
from diffbench.benchmark.jobs import convert_job
from diffbench.benchmark.load import parse_benchmark

NETWORK = {"channels": 16, "channel_multipliers": [1, 2], "attention_resolutions": [4], "norm_groups": 8}
SMALL = """
benchmark: small
dataset: {name: digits}
models:
  released: {checkpoint: released.safetensors}
  again: {of: released, weights: ema}
samplers:
  ancestral: {}
protocols:
  digits: {extractor: digits_features}
runs:
  - {models: [released], samplers: [ancestral], steps: [5], num_images: 20, protocols: [digits]}
"""


def described(name="unet", **options):
    from diffbench.base.plugins import chosen
    from diffbench.base.plugins import described as plain

    return json.loads(json.dumps(plain(chosen("networks", {"name": name, **options}, "network")[1], name)))


@pytest.fixture
def record(tmp_path, monkeypatch):
    """record(name, **changes) writes a file for a checkpoint, which no test reads, and the record beside it."""
    monkeypatch.chdir(tmp_path)

    def write(name="released", network=None, facts=(), **spec):
        diffusion = {"timesteps": 50, "schedule": "cosine", "parameterization": "eps", "variance": "learned_range"}
        content = {
            "spec": {
                "network": network or described(**NETWORK),
                "diffusion": diffusion | {"rescale_timesteps": True},
                "weights": "ema",
            }
            | spec,
            "facts": {"shape": [8, 8, 1], "levels": 17, "num_classes": 10} | dict(facts),
        }
        (tmp_path / f"{name}.safetensors").touch()
        write_recorded(tmp_path / f"{name}.safetensors.json", content)

    write()
    return write


def parsed(change=lambda content: None):
    content = copy.deepcopy(yaml.safe_load(SMALL))
    change(content)
    return parse_benchmark(content, "small.yaml")


def model(name="released", **keys):
    return lambda content: content["models"][name].update(keys)


def test_a_record_completes_an_entry(record, sampled):
    benchmark = parsed()
    found = benchmark.models["released"]
    assert found.network.channels == 16 and found.network.channel_multipliers == (1, 2)
    assert found.diffusion.timesteps == 50 and found.diffusion.rescale_timesteps and found.weights == "ema"
    assert found.training is None and found.objective is None and found.checkpoint.facts.levels == 17
    spec = sampled(benchmark, "released", "ancestral", 5).as_json()
    assert spec["network"]["channel_multipliers"] == [1.0, 2.0] and spec["network"]["attention_resolutions"] == [4]
    assert spec["diffusion"]["schedule"] == "cosine" and spec["weights"] == "ema"
    assert benchmark.used_models() == [("released", 0)] == benchmark.bounded_models()
    assert benchmark.trained_models() == benchmark.converted_models() == []
    assert (
        benchmark.ablations()["released"] | {"objective": "unknown", "t_drawn": "unknown"}
        == (benchmark.ablations()["released"])
    )


def test_what_is_recorded_may_be_said_again(record):
    record(objective={"name": "hybrid", "vlb_weight": 0.001, "loss_aware": None})
    same = {"network": {"channels": 16, "channel_multipliers": [1.0, 2]}, "schedule": "cosine", "objective": "hybrid"}
    found = parsed(model(**same, weights="ema")).models["released"]
    assert found.network.norm_groups == 8 and found.objective_name == "hybrid"
    assert parsed(model(network="unet")).models["released"].network.channels == 16


def test_weights_that_another_benchmark_trained(record, tmp_path):
    """Training writes averaged and raw weights, and what it did."""
    record(objective={"name": "hybrid", "vlb_weight": 0.001, "loss_aware": None}, training={"steps": 70}, seed=3)
    path = tmp_path / "released.safetensors.json"
    content = json.loads(path.read_text())
    del content["spec"]["weights"]
    write_recorded(path, content)
    found = parsed(model(weights="raw")).models
    assert found["released"].weights == "raw" and found["again"].weights == "ema"
    assert found["released"].training.steps == 70 and found["released"].objective_name == "hybrid"
    assert parsed().trained_models() == []
    with pytest.raises(UserError, match=r"released.training.steps: 80, and released.safetensors.json records 70"):
        parsed(model(training={"steps": 80}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (model(schedule="linear"), "released.schedule: 'linear', and released.safetensors.json records 'cosine'"),
        (model(network={"channels": 32}), "released.network.channels: 32, and released.safetensors.json records 16"),
        (model(network="super_resolution"), "network.name: 'super_resolution', and"),
        (model(network={"channel_multipliers": [1]}), "network.channel_multipliers: [1], and"),
        (model(network={"chanels": 32}), "unknown key 'chanels'; did you mean 'channels'?"),
        (model(weights="raw"), "released.weights: 'raw', and"),
        (model(objective="simple"), "released.objective: released.safetensors records none; leave it out"),
        (model(training={"steps": 3}), "released.training: released.safetensors records none"),
        (model(checkpoint="none.safetensors"), "none.safetensors: no such file; `diffbench import --list`"),
        (model(checkpoint=3), "checkpoint: 3 is not a map"),
        (model(checkpoint={"path": "released.safetensors", "key": "ema"}), "checkpoint.key: "),
        (model(checkpoint={"file": "a"}), "checkpoint: unknown key 'file'"),
        (model(checkpoint={"path": "released.safetensors", "facts": {}}), "checkpoint: unknown key 'facts'"),
        (model("again", checkpoint="a"), "checkpoint: has no place beside 'of'"),
        (
            lambda content: content["runs"][0].update(train_seeds=[0, 1]),
            "with train_seeds [0, 1]: its checkpoint is one",
        ),
    ],
)
def test_a_contradiction_is_one_line(record, change, message):
    with pytest.raises(UserError) as caught:
        parsed(change)
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("facts", "network", "message"),
    [
        ({"shape": [16, 16, 1]}, {}, "made for images of 16x16x1, and here they are 8x8x1; add 'size'"),
        ({"shape": [8, 8, 3]}, {}, "made for images of 8x8x3, and here they are 8x8x1"),
        ({"levels": 256}, {}, "made for 256 grey levels, and the data set has 17"),
        ({"num_classes": 7}, {"class_conditional": True}, "made for 7 classes, and the data set has 10"),
    ],
)
def test_other_data_are_one_line(record, facts, network, message):
    record(facts=facts, network=described(**(NETWORK | network)))
    with pytest.raises(UserError) as caught:
        parsed()
    assert f"models.released.checkpoint: {message}" in str(caught.value)


def test_labels_that_a_network_does_not_take_may_be_of_any_number(record):
    record(facts={"num_classes": None})
    assert parsed().models["released"].checkpoint.facts.num_classes is None


def test_a_record_of_another_stage_is_one_line(record, tmp_path):
    write_recorded(tmp_path / "released.safetensors.json", {"spec": {"threads": 1}, "facts": {}})
    with pytest.raises(UserError, match="records no 'network'"):
        parsed()


def own(content, **keys):
    content["models"]["mine"] = {"network": {"name": "unet", **NETWORK}, "checkpoint": "mine.pt"} | keys
    content["runs"][0]["models"] = ["mine"]


@pytest.mark.parametrize("key", ["network", "diffusion", "objective", "training"])
def test_a_record_whose_spec_has_another_type_is_one_line(record, tmp_path, key):
    record(**{key: ["unet"]})
    with pytest.raises(UserError) as caught:
        parsed()
    said = str(caught.value)
    assert "\n" not in said
    assert said.startswith(f"small.yaml: {tmp_path}/released.safetensors.json: spec.{key}: ['unet'] is not")


def test_a_file_without_a_record_is_what_its_entry_says(record, tmp_path):
    (tmp_path / "mine.pt").touch()
    benchmark = parsed(lambda content: own(content, schedule="cosine", checkpoint={"path": "mine.pt", "key": "ema"}))
    assert benchmark.converted_models() == ["mine"] and benchmark.trained_models() == []
    spec = convert_job(benchmark, "mine").as_json()
    assert spec["key"] == "ema" and spec["diffusion"]["schedule"] == "cosine" and spec["weights"] == "ema"
    assert benchmark.models["mine"].training is None
    assert benchmark.models["mine"].checkpoint.file == str(tmp_path / "mine.pt")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"training": {"steps": 3}}, "mine.training: has no place beside 'checkpoint'"),
        ({"objective": "simple"}, "mine.objective: has no place beside 'checkpoint'"),
        ({"network": {"channels": 0}}, "channels must be positive"),
        ({"checkpoint": {"key": "a"}}, "checkpoint: 'path' is missing"),
    ],
)
def test_an_entry_that_trains_nothing(record, tmp_path, keys, message):
    (tmp_path / "mine.pt").touch()
    with pytest.raises(UserError) as caught:
        parsed(lambda content: own(content, **keys))
    assert message in str(caught.value)


def test_a_file_that_nobody_describes_is_one_line(record, tmp_path):
    (tmp_path / "released.safetensors.json").unlink()
    with pytest.raises(UserError, match="no released.safetensors.json beside it says what it is"):
        parsed()


ENCODER = NETWORK | {"channels": 16, "head_channels": 8}


def guided(content):
    content["classifiers"] = {"noisy": {"checkpoint": "noisy.safetensors"}}
    content["models"]["guided"] = {"of": "released", "guidance": {"name": "classifier", "classifier": "noisy"}}
    content["runs"][0]["models"] = ["guided"]


def test_a_classifier(record, tmp_path):
    record("noisy", network=described("noisy_classifier", encoder=ENCODER), weights="raw")
    benchmark = parsed(guided)
    assert benchmark.used_classifiers() == [("noisy", 0)] and benchmark.trained_classifiers() == []
    assert benchmark.classifiers["noisy"].network.encoder.channels == 16
    assert benchmark.classifiers["noisy"].weights == "raw" and benchmark.classifiers["noisy"].training is None
    record("noisy", network=described("noisy_classifier", encoder=ENCODER), facts={"num_classes": 5})
    with pytest.raises(UserError, match=r"classifiers.noisy.checkpoint: made for 5 classes, and the data set has 10"):
        parsed(guided)
    (tmp_path / "noisy.safetensors.json").unlink()
    with pytest.raises(UserError, match=r"classifiers.noisy"):
        parsed(guided)


def test_an_upsampler_and_its_base(record):
    record("base", facts={"shape": [4, 4, 1]}, network=described(**(NETWORK | {"attention_resolutions": [2]})))
    record("up", network=described("super_resolution", **NETWORK), low_size=4, facts={"low_size": 4})

    def cascade(content, rows=("cascade",), size=4):
        content["models"] = {
            "base": {"checkpoint": "base.safetensors"} | ({"size": size} if size else {}),
            "up": {"checkpoint": "up.safetensors"},
            "cascade": {"of": "up", "low_res": {"model": "base", "sampler": "ancestral", "steps": 3}},
        }
        content["runs"][0]["models"] = list(rows)

    benchmark = parsed(cascade)
    assert benchmark.models["up"].low_size == 4 and benchmark.used_models() == [("up", 0), ("base", 0)]
    with pytest.raises(UserError, match="add 'size' to a model that an upsampler starts from"):
        parsed(lambda content: (cascade(content, ["base"], size=None), content["models"].pop("cascade")))
    with pytest.raises(UserError, match="base makes images of 4 pixels, which this data set cannot score"):
        parsed(lambda content: cascade(content, rows=("cascade", "base")))


def test_how_a_checkpoint_was_trained_asks_nothing_of_the_data(record):
    record(training={"random_crop": True}, objective={"name": "hybrid"})
    assert parsed().models["released"].training.random_crop


def test_labels_as_in_the_data_need_a_record_of_the_classes(record):
    def asked(content):
        content["models"]["released"]["labels"] = "as_in_data"

    record(network=described(**NETWORK, class_conditional=True))
    with pytest.raises(UserError, match="models.released.labels: as_in_data needs the classes of the images"):
        parsed(asked)
    record(network=described(**NETWORK, class_conditional=True), facts={"class_counts": [1] * 10})
    assert parsed(asked).models["released"].labels == "as_in_data"
