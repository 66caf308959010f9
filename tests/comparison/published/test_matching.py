"""What decides whether a published number is of the same thing: each field, and the nearest numbers."""

from dataclasses import replace

import pytest

from diffbench.base.records import Estimate, Row, record
from diffbench.comparison.published.matching import MOST, differences, nearest
from diffbench.comparison.published.recorded import Ours, objective_of, spacing_of
from diffbench.comparison.published.verdict import verdict
from diffbench.published.numbers import published_numbers

FACTS = {
    "dataset": "cifar10", "size": "32", "pixels": "as published", "images": "all", "conditional": "no",
    "parameterization": "eps", "objective": "simple", "variance": "fixed_large", "schedule": "linear",
    "timesteps": "1000", "parameters": "35746307", "dropout": "0.1", "training_steps": "800000", "batch_size": "128",
    "weights": "ema", "checkpoint": "", "sampler": "ancestral", "eta": "", "spacing": "all", "steps": "1000",
    "nfe": "1000", "guidance": "none", "guidance_scale": "0", "clip_x_0": "yes", "protocol": "ddpm",
    "extractor": "inception@6726825d", "settings": "the protocol's own", "num_images": "50000", "reference": "train",
    "reference_file": "",
}  # fmt: skip


def ours(value=3.2, metric="fid", margin=0.1, **changed):
    row = Row("cifar10", "any name", "ancestral", 1000, None, 0, 0, 50_000)
    item = record(row, metric, "protocol=ddpm@2", Estimate(value, value - margin, value + margin))
    return Ours(metric, (item,), FACTS | changed)


NUMBERS = [item for item in published_numbers() if item.dataset == "cifar10" and item.metric == "fid"]
(DDPM,) = [item for item in NUMBERS if item.paper == "DDPM" and item.table == "Table 1" and item.value == "3.17"]


def test_all_places_of_the_same_number_are_listed():
    found = nearest(ours(), NUMBERS)
    assert all(one.comparable for one in found)
    assert [[number.place for number in one.numbers] for one in found] == [
        ["DDPM, Table 1", "DDPM, Table 2"],
        ["DDIM, Table 1"],
    ]


@pytest.mark.parametrize(
    "changed, said",
    [
        ({"num_images": "10000"}, "n (10000 against 50000)"),
        ({"protocol": "clean_fid"}, "protocol (clean_fid against ddpm)"),
        ({"protocol": "torch_fidelity"}, "protocol (torch_fidelity against ddpm)"),
        ({"extractor": "inception@00000000"}, "extractor (inception@00000000 against inception@6726825d)"),
        ({"settings": "k 5"}, "settings (k 5 against the protocol's own)"),
        ({"reference": "test"}, "reference (test against train)"),
        ({"reference": "file", "reference_file": "mine.npz"}, "reference (mine.npz against train)"),
        ({"pixels": "saved as JPEG"}, "pixels (saved as JPEG against as published)"),
        ({"images": "1000 training images"}, "images (1000 training images against all)"),
        ({"steps": "100", "spacing": "uniform"}, "steps (100 against 1000)"),
        ({"sampler": "ddim", "eta": "0"}, "sampler (ddim against ancestral)"),
        ({"objective": "hybrid"}, "objective (hybrid against simple)"),
        ({"objective": ""}, "objective (not recorded against simple)"),
        ({"variance": "fixed_small"}, "variance (fixed_small against fixed_large)"),
        ({"schedule": "cosine"}, "schedule (cosine against linear)"),
        ({"timesteps": "4000"}, "timesteps (4000 against 1000)"),
        ({"parameters": "190369"}, "parameters (0.19M against 35.7M)"),
        ({"parameters": ""}, "parameters (not recorded against 35.7M)"),
        ({"training_steps": "400000"}, "training steps (400000 against 800000)"),
        ({"weights": "raw"}, "weights (raw against ema)"),
        ({"conditional": "yes"}, "conditional (yes against no)"),
        ({"guidance": "classifier", "guidance_scale": "1"}, "guidance (classifier against none)"),
        ({"clip_x_0": "no"}, "clip_x_0 (no against yes)"),
        ({"dataset": "mnist"}, "dataset (mnist against cifar10)"),
    ],
)
def test_each_field_keeps_numbers_apart_and_is_named(changed, said):
    assert str(differences(ours(**changed), DDPM)[0]) == said
    assert verdict(ours(**changed), nearest(ours(**changed), [DDPM])[0]).outcome == f"not comparable: {said}"


def test_what_a_paper_does_not_state_is_no_match():
    for field in ("objective", "num_images", "steps", "sampler", "protocol", "training_steps", "guidance_scale"):
        (first, *_) = differences(ours(), replace(DDPM, **{field: ""}))
        assert first.theirs == "" and str(first).endswith("against not stated)"), field


def test_a_released_file_settles_what_its_record_lacks():
    (released,) = [item for item in NUMBERS if item.checkpoint == "cifar10_uncond_50M_500K" and item.steps == "4000"]
    facts = {
        "objective": "", "variance": "learned_range", "schedule": "cosine", "timesteps": "4000", "steps": "4000",
        "dropout": "", "training_steps": "", "batch_size": "", "parameters": "",
    }  # fmt: skip
    assert differences(ours(**facts, checkpoint="cifar10_uncond_50M_500K"), released) == []
    assert [item.field for item in differences(ours(**facts), released)][0] == "objective"
    # Other flags than the file's are still other flags.
    other = facts | {"schedule": "linear", "checkpoint": "cifar10_uncond_50M_500K"}
    assert [item.field for item in differences(ours(**other), released)] == ["schedule"]


def test_without_a_comparable_number_the_few_nearest_are_listed():
    found = nearest(ours(num_images="10000"), NUMBERS)
    assert len(found) == MOST and not any(one.comparable for one in found)
    assert [len(one.differs) for one in found] == sorted(len(one.differs) for one in found)
    assert nearest(ours(metric="kid"), NUMBERS) == []


def test_a_name_is_no_evidence():
    small = ours(parameters="190369", training_steps="2000")
    assert small.records[0]["model"] == "any name"
    assert [item.field for item in differences(small, DDPM)] == ["parameters", "training_steps"]


@pytest.mark.parametrize(
    "spacing, steps, name",
    [
        ("1000", 1000, "all"), ("25", 25, "uniform"), ("ddim25", 25, "ddim"), ("quadratic20", 20, "quadratic"),
        ("90,60,60,20,20", 250, "90,60,60,20,20"), ("", 0, "adaptive"), ("karras18 rho=5", 18, "karras rho=5"),
        ("ddim1000", 1000, "all"), ("karras1000", 1000, "karras"),
    ],
)  # fmt: skip
def test_spacings_have_the_names_of_the_papers(spacing, steps, name):
    assert spacing_of(spacing, steps, "1000") == name


@pytest.mark.parametrize(
    "objective, name",
    [
        (None, ""), ({"name": "simple"}, "simple"), ({"name": "hybrid", "vlb_weight": 0.001}, "hybrid"),
        ({"name": "hybrid", "vlb_weight": 0.00025}, "hybrid"), ({"name": "vlb", "loss_aware": {}}, "vlb_loss_aware"),
        ({"name": "hybrid", "vlb_weight": 0.1}, "hybrid, vlb_weight 0.1"), ({"name": "vlb", "loss_aware": None}, "vlb"),
    ],
)  # fmt: skip
def test_objectives_have_the_names_of_the_papers(objective, name):
    assert objective_of(objective, 4000) == name


@pytest.mark.parametrize(
    "value, margin, outcome",
    [
        (3.2, 0.1, "agrees"), (3.3, 0.1, "higher"), (3.0, 0.1, "lower"), (3.275, 0.1, "agrees"),
        (float("nan"), 0.1, "no score"), (float("inf"), 0.1, "no score"), (3.17, 0.0, "agrees"),
    ],
)  # fmt: skip
def test_the_interval_of_the_difference_decides(value, margin, outcome):
    found = verdict(ours(value, margin=margin), nearest(ours(value, margin=margin), [DDPM])[0])
    assert found.outcome == outcome
    if found.difference is not None:
        assert found.difference.value == pytest.approx(value - 3.17)


def test_a_published_spread_widens_the_interval():
    spread = replace(DDPM, spread="0.1", spread_of="5 sampling runs")
    near = ours(3.37)
    assert verdict(near, nearest(near, [DDPM])[0]).outcome == "higher"
    found = verdict(near, nearest(near, [spread])[0])
    assert found.outcome == "agrees" and found.difference is not None
    assert found.difference.low == pytest.approx(0.2 - (0.1**2 + 0.196**2) ** 0.5 - 0.005, abs=1e-3)
