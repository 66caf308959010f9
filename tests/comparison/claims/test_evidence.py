"""The evidence for claims: properties from records, pairs that differ in one of them, and records that do not fit."""

import json

import numpy as np
import pytest

from diffbench.base.digests import sha256
from diffbench.base.errors import UserError
from diffbench.base.provenance_file import write_recorded
from diffbench.comparison.claims._contrasts import PAIRED, difference, ratio
from diffbench.comparison.claims._evidence import evidence_of

OBJECTIVE = {"objective.name": ("vlb", "simple")}
FID = [{"fid": (5.0, 4.0, 6.0)}]


def test_properties_are_those_of_samples_weights_and_scores(made_records):
    made_records.model("m", training={"steps": 7, "log_every": 5}, network={"attention_resolutions": [8, 4]})
    made_records.samples("m", FID, sampler={"name": "ddim", "eta": 0.5}, steps=10, spacing="log_snr10", scale=2.0)
    made_records.bound("m", [{"nll_bits_per_dim": 3.0}])
    evidence = made_records.evidence()
    (item,), (own,) = evidence.of("fid"), evidence.of("nll_bits_per_dim")
    assert item.label == "m@2/ancestral/10" and own.label == "m"
    wanted = {
        **{"sampler.name": "ddim", "sampler.eta": 0.5, "spacing": "log_snr", "steps": 10, "guidance.scale": 2.0},
        **{"objective.name": "simple", "diffusion.schedule": "linear", "training.steps": 7, "data": "d"},
        **{"network.attention_resolutions": (8, 4), "weights": "ema"},
    }
    assert {name: item.properties.get(name) for name in wanted} == wanted
    assert not {"seed", "spacings", "training.log_every"} & item.properties.keys()
    assert own.properties["bound.timesteps"] == 4 and own.properties["objective.name"] == "simple"
    made_records.samples("m", FID, steps=10, spacing="5,5", name="late")
    assert {item.properties["spacing"] for item in made_records.evidence().of("fid")} == {"log_snr", "5,5"}


def test_a_pair_differs_only_as_asked(made_records):
    made_records.model("bound", objective={"name": "vlb", "weight": 2})
    made_records.model("plain")
    made_records.model("longer", training={"steps": 99})
    made_records.model("twin")
    for name in ("bound", "plain", "longer", "twin"):
        made_records.samples(name, FID)
    ((a, b),) = made_records.evidence().pairs("fid", OBJECTIVE)
    # Two models of equal settings are one side. That of the first name counts for each pair of seeds.
    assert (a.label, b.label) == ("bound/ancestral/25", "plain/ancestral/25")


def test_scores_of_two_protocols_are_not_mixed(made_records):
    made_records.model("bound", objective={"name": "vlb"})
    made_records.model("plain")
    made_records.samples("bound", FID, protocol="one")
    made_records.samples("plain", FID, protocol="other")
    assert list(made_records.evidence().pairs("fid", OBJECTIVE)) == []
    made_records.samples("plain", FID, protocol="one")
    assert len(list(made_records.evidence().pairs("fid", OBJECTIVE))) == 1


def test_weights_that_were_trained_again_do_not_describe_the_samples(made_records):
    made_records.model("m")
    made_records.samples("m", FID)
    path = made_records.results / "models/m/train0/weights.safetensors"
    path.write_text("other")
    record = path.with_name(f"{path.name}.json")
    content = {key: value for key, value in json.loads(record.read_text()).items() if key != "record_sha256"}
    write_recorded(record, content | {"sha256": sha256(path)})
    with pytest.raises(UserError, match="weights.safetensors: is not what .* was made from"):
        made_records.evidence()


def test_scores_that_no_table_was_made_from_are_left_out(made_records):
    made_records.model("m", range(2))
    made_records.samples("m", [*FID, *FID])
    old, current = sorted((made_records.results / "scores").rglob("25.json"))
    table = made_records.results / "table2.csv"
    table.write_text("t")
    content = {"artifact": table.name, "sha256": sha256(table), "inputs": {"s": sha256(current)}, "places": {}}
    content |= {"spec": {}, "facts": {"given": {"scores": ["s"]}}, "versions": {}, "threads": 1}
    current.write_text(current.read_text().replace('"covers": "sampling"', '"covers": "sampling "'))
    write_recorded(current.with_name("25.json.json"), _rehashed(current))
    content["inputs"] = {"s": sha256(current)}
    write_recorded(table.with_name("table2.csv.json"), content)
    evidence = made_records.evidence()
    assert [item.seeds for item in evidence.of("fid")] == [(1, 0)] and list(evidence.left_out) == [old]


def _rehashed(path):
    content = json.loads(path.with_name(f"{path.name}.json").read_text())
    return {key: value for key, value in content.items() if key != "record_sha256"} | {"sha256": sha256(path)}


def test_a_damaged_record_is_one_line(made_records):
    made_records.model("m")
    made_records.samples("m", FID)
    record = made_records.results / "samples/m/train0/ancestral/sample0/25.npz.json"
    record.write_text(record.read_text().replace('"num_images": 100', '"num_images": 101'))
    with pytest.raises(UserError, match="was changed after it was written"):
        made_records.evidence()
    with pytest.raises(UserError, match="no scores below it"):
        evidence_of(made_records.results / "models")


def test_codelengths_of_the_same_images_are_pairs(made_records):
    images = np.random.default_rng(0).normal(3, 1, 200)
    for name, settings, more in (("bound", {"objective": {"name": "vlb"}}, 0), ("plain", {}, 0.1)):
        made_records.model(name, **settings)
        noise = np.random.default_rng(int(10 * more)).normal(more, 0.01, 200)
        value = float((images + noise).mean())
        made_records.bound(
            name, [{"nll_bits_per_dim": (value, value - 0.2, value + 0.2)}], [{"bits_per_dim": images + noise}]
        )
    ((a, b),) = made_records.evidence().pairs("nll_bits_per_dim", OBJECTIVE)
    found, of_ratio = difference(a, b), ratio(a, b)
    assert found is not None and found.method == PAIRED and found.effect.value == pytest.approx(-0.1, abs=0.003)
    # 1.97 standard errors of the difference: 0.01 sqrt(2 / 200).
    assert found.effect.high - found.effect.value == pytest.approx(1.97 * 0.001, rel=0.15)
    (one,), (other,) = (side.scored[0].arrays("terms_test", "bits_per_dim") for side in (a, b))
    drawn = np.random.default_rng(2).integers(0, 200, (4000, 200))
    ratios = one[drawn].mean(1) / other[drawn].mean(1)
    assert of_ratio is not None and of_ratio.effect.value == pytest.approx(one.mean() / other.mean())
    assert of_ratio.effect.high - of_ratio.effect.low == pytest.approx(2 * 1.97 * ratios.std(), rel=0.05)


def test_samples_of_the_same_noise_are_pairs_under_a_frechet_distance(made_records):
    draws = np.random.default_rng(0)
    shared, reference = draws.normal(0.3, 1, (200, 4)), draws.normal(0, 1, (300, 4))
    of_real = made_records.features("real/train", reference)
    for name, settings in (("bound", {"objective": {"name": "vlb"}}), ("plain", {})):
        made_records.model(name, **settings)
        features = made_records.features(name, shared + draws.normal(0, 0.001, shared.shape))
        made_records.samples(name, FID, features=[features], reference=of_real)
    ((a, b),) = made_records.evidence().pairs("fid", OBJECTIVE)
    found = difference(a, b)
    assert found is not None and found.method == PAIRED and found.effect.high - found.effect.low < 0.01
    # Features that are not those of the scores are not used.
    made_records.features("plain", shared)
    found = difference(a, b)
    assert found is not None and found.effect.high - found.effect.low == pytest.approx(2 * np.hypot(1, 1))
