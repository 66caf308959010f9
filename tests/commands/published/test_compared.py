"""The table beside published numbers, for the benchmarks that ship, from the records that their stages would write."""

import csv
import json
from collections import defaultdict

import numpy as np
import pytest

from diffbench.base.errors import UserError
from diffbench.base.provenance_file import read_provenance
from diffbench.base.records import Estimate
from diffbench.commands.verify.rerun import by_stage, remade

SET = ("model", "sampler", "steps", "guidance_scale", "reference", "metric")


def matched(rows):
    """Return the published numbers that are comparable, by set and metric."""
    found = defaultdict(list)
    for row in rows:
        if not row["verdict"].startswith("not comparable"):
            found[tuple(row[key] for key in SET)].append((row["paper"], row["table"], row["published"]))
    return dict(found)


def firsts(rows, **of):
    """Return the first difference of each row of a set."""
    return {row["verdict"] for row in rows if all(row[key] == value for key, value in of.items())}


AT = ("ancestral", "1000", "", "train")
LONG = ("ancestral", "4000", "", "train")


def test_cifar10_as_it_ships_meets_the_numbers_of_its_papers(made):
    values = {
        ("ddpm", "ancestral", 1000, None, "fid"): Estimate(3.21, 3.12, 3.3),
        ("iddpm", "ancestral", 4000, None, "fid"): Estimate(float("nan"), float("nan"), float("nan")),
    }
    tree = made("cifar10", values=values)
    rows = tree.rows()
    assert matched(rows) == {
        ("ddpm", *AT, "fid"): [("DDPM", "Table 1, 2", "3.17"), ("DDIM", "Table 1", "3.17")],
        ("ddpm", *AT, "inception_score"): [("DDPM", "Table 1, 2", "9.46")],
        ("ddpm", "ancestral", "1000", "", "test", "fid"): [("DDPM", "Sec 4.1 text", "5.24")],
        ("iddpm_simple", *LONG, "fid"): [("Improved DDPM", "Table 2", "3.05")],
        ("iddpm", *LONG, "fid"): [("Improved DDPM", "Table 2", "3.19")],
        ("iddpm_vlb", *LONG, "fid"): [("Improved DDPM", "Table 2", "11.47")],
        ("ddpm", "", "", "", "test", "nll_bits_per_dim"): [("DDPM", "Table 1", "3.75")],
        ("ddpm", "", "", "", "train", "nll_train_bits_per_dim"): [("DDPM", "Table 1", "3.72")],
        ("iddpm_simple", "", "", "", "test", "nll_bits_per_dim"): [("Improved DDPM", "Table 2", "3.26")],
        ("iddpm", "", "", "", "test", "nll_bits_per_dim"): [("Improved DDPM", "Table 2", "3.17")],
        ("iddpm_vlb", "", "", "", "test", "nll_bits_per_dim"): [("Improved DDPM", "Table 2", "2.94")],
    }
    (agreeing, *_) = [row for row in rows if row["verdict"] == "agrees"]
    assert (agreeing["difference"], agreeing["model"], agreeing["note"]) == (
        "0.04", "ddpm", "of the checkpoint with the lowest FID, one training; the row of table 1 again",
    )  # fmt: skip
    assert firsts(rows, model="iddpm", steps="4000", metric="fid") == {"no score"}
    # DDIM's samples are not clipped, and its steps on CIFAR-10 are quadratic.
    wanted = {"sampler": "ddim", "steps": "10", "metric": "fid"}
    (ddim, *_) = [row for row in rows if wanted.items() <= row.items()]
    assert ddim["differs"] == "spacing (ddim against quadratic); clip_x_0 (yes against no)"
    per_set = defaultdict(int)
    for row in rows:
        per_set[tuple(row[key] for key in (*SET, "protocol"))] += 1
    assert max(per_set.values()) <= 3
    again = tree.home / "results/published.csv"
    first = again.read_bytes(), again.with_name("published.csv.json").read_bytes()
    tree.rows()
    assert first == (again.read_bytes(), again.with_name("published.csv.json").read_bytes()), "the same bytes twice"
    # The artifact is verified like any other: made again from its record, it has the same bytes.
    recorded = {again: read_provenance(again)}
    assert by_stage(tree.home, recorded, 0) == {"tabulate": [again]}
    assert not remade(tree.home, recorded).bad


def jpeg_like():
    """Return images of whole 8x8 blocks, whose high frequencies are 0 as in JPEG of a low quality."""
    draws = np.random.default_rng(0).integers(0, 256, (40, 4, 4, 3)).astype(np.uint8)
    return draws.repeat(8, axis=1).repeat(8, axis=2)


def scheduled(content):
    content["models"]["ddpm"]["training"]["steps"] = 400_000


@pytest.mark.parametrize(
    "change, more, said",
    [
        (lambda content: None, {"num_images": 10_000}, "n (10000 against 50000)"),
        (lambda content: None, {"extractor": "0" * 64}, "extractor (inception@00000000 against inception@6726825d)"),
        (lambda content: None, {"images": jpeg_like()}, "pixels (saved as JPEG against as published)"),
        (lambda content: None, {"training_images": 1000}, "images (1000 training images against all)"),
        (lambda content: None, {"facts": {"parameters": 190_369}}, "parameters (0.19M against 35.7M)"),
        (scheduled, {}, "training steps (400000 against 800000)"),
        (
            lambda content: content["models"]["ddpm"].update(objective={"name": "hybrid", "vlb_weight": 0.001}, variance="learned_range"),
            {},
            "objective (hybrid against simple)",
        ),
        (
            lambda content: content["protocols"].update(ddpm={"name": "clean_fid"}),
            {},
            "protocol (clean_fid against ddpm)",
        ),
    ],
)  # fmt: skip
def test_another_setting_keeps_a_score_from_being_compared(made, change, more, said):
    def alone(content):
        content["runs"] = [{"models": ["ddpm"], "samplers": ["ancestral"], "steps": [1000], "num_images": 50_000,
                            "protocols": ["ddpm"]}]  # fmt: skip
        content["models"] = {"ddpm": content["models"]["ddpm"]}
        del content["protocols"]["ddpm_test"]
        change(content)

    rows = made("cifar10", alone, **more).rows()
    assert not [key for key in matched(rows) if key[-1] == "fid"]
    assert f"not comparable: {said}" in firsts(rows, metric="fid")


def test_imagenet64_tells_the_models_with_and_without_dropout_apart(made):
    def few(content):
        content["runs"] = content["runs"][::2]

    rows = made("imagenet64", few).rows()
    found = matched(rows)
    assert found["adm", "ancestral", "250", "", "train", "fid"] == [("ADM", "Table 5", "2.07")]
    assert found["iddpm_cond", "ancestral", "250", "", "train", "fid"] == [
        ("Improved DDPM", "Table 4", "2.92"),
        ("ADM", "Table 5", "2.92"),
    ]
    assert {key[0] for key in found} == {"adm", "iddpm_cond"}
    assert firsts(rows, model="adm_g", metric="fid") >= {"not comparable: guidance (classifier against none)"}
    # Improved DDPM's unconditional numbers are of the official release, not of the crops.
    assert any(verdict.startswith("not comparable: dataset (imagenet against imagenet_release)")
               for verdict in firsts(rows, model="iddpm", metric="nll_bits_per_dim"))  # fmt: skip

    def without(content):
        few(content)
        content["models"]["adm"]["network"]["dropout"] = 0.0

    found = matched(made("imagenet64", without).rows())
    assert found["adm", "ancestral", "250", "", "train", "fid"] == [("ADM", "Table 5", "2.61")]


def test_imagenet256_meets_each_guidance_scale_and_no_misprint(made):
    rows = made("imagenet256").rows()
    found = matched(rows)
    fids = {(key[0], key[3]): {value for _, _, value in held} for key, held in found.items() if key[-1] == "fid"}
    assert fids == {
        ("adm", ""): {"10.94"}, ("adm_g", "1"): {"4.59"}, ("adm_uncond", ""): {"26.21"}, ("adm_g25", "2.5"): {"5.44"},
        ("adm_uncond_g", "1"): {"33.03"}, ("adm_uncond_g", "10"): {"12.00"},
    }  # fmt: skip
    assert "3.85" not in {row["published"] for row in rows if not row["verdict"].startswith("not comparable")}
    half = firsts(rows, model="adm_g", guidance_scale="0.5", metric="fid")
    assert "not comparable: guidance scale (0.5 against 1)" in half


def test_a_missing_record_another_tree_s_files_and_a_model_named_na(made, tmp_path):
    def named(content):
        content["runs"] = [{"models": ["NA"], "samplers": ["ancestral"], "steps": [1000], "num_images": 50_000,
                            "protocols": ["ddpm"]}]  # fmt: skip
        content["models"] = {"NA": content["models"]["ddpm"]}

    from .conftest import PARAMETERS

    PARAMETERS["cifar10"]["NA"] = PARAMETERS["cifar10"]["ddpm"]
    tree = made("cifar10", named)
    rows = tree.rows()
    assert {row["model"] for row in rows} == {"NA"} and matched(rows)["NA", *AT, "fid"]
    (weights,) = tree.table.paths_of_records("weights")
    record = tmp_path / weights
    held = record.read_text()
    record.unlink()
    with pytest.raises(UserError, match="weights.safetensors.json: "):
        tree.rows()
    # A record of another training, as of another tree, is not the one that the job names.
    content = json.loads(held)
    content["spec"]["training"]["steps"] = 5
    from diffbench.base.provenance_file import write_recorded

    write_recorded(record, content)
    with pytest.raises(UserError, match="was made from other settings, code or data"):
        tree.rows()
    record.write_text(held)
    with open(tmp_path / "results/published.csv", newline="") as file:
        assert list(csv.DictReader(file)) == rows, "a run that fails leaves the table as it was"
