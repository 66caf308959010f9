"""The published numbers: the words of each column, the papers' errors that are marked, and a damaged file."""

import csv
import re
from collections import Counter

import pytest

from diffbench.base.errors import UserError
from diffbench.base.plugins import names
from diffbench.commands.importing.released import REGISTRY
from diffbench.comparison.metrics import known_metrics
from diffbench.comparison.published.matching import same_parameters
from diffbench.extractors.inception import PUBLISHED
from diffbench.published.numbers import (
    COLUMNS,
    EXTRACTOR,
    FILE,
    METRICS,
    data_name,
    numbers_of,
    published_numbers,
    read_numbers,
)

FOREIGN_PROTOCOLS = {"stylegan2", "score_sde", "edm", "iddpm"}
"""Protocols of papers that are none of ours."""

WORDS = {
    "conditional": {"", "yes", "no"},
    "clip_x_0": {"", "yes", "no"},
    "guidance": {"", "none", "classifier"},
    "weights": {"", "ema", "raw"},
    "reference": {"", "train", "test"},
    "parameterization": {"", "eps", "mu"},
    "variance": {"", "fixed", "fixed_small", "fixed_large", "learned_range", "learned_diagonal", "analytic"},
    "schedule": {"", "linear", "cosine", "learned"},
    "protocol": {"", "bound", *names("protocols"), *FOREIGN_PROTOCOLS},
    "checkpoint": {"", *REGISTRY},
}


def test_every_row_keeps_to_the_vocabulary():
    held = published_numbers()
    for column, allowed in WORDS.items():
        assert {getattr(number, column) for number in held} <= allowed, column
    for number in held:
        assert number.paper and number.value and re.fullmatch(r"\d{4}\.\d{5}", number.arxiv) and number.verified
        for column in ("size", "timesteps", "training_steps", "batch_size", "steps", "nfe", "num_images"):
            assert re.fullmatch(r"\d*", getattr(number, column)), (column, number)
        assert not number.parameters or re.fullmatch(r"~?\d+(\.\d+)?[MK]", number.parameters)
        assert not number.spread or number.spread_of
        assert number.metric not in METRICS or number.number == number.number
    assert set(METRICS) <= {*known_metrics(), "nll_train_bits_per_dim"}
    assert EXTRACTOR == f"inception@{PUBLISHED[:8]}"
    assert len(held) == 1015 and len(set(held)) >= len(held) - 5, "a number that stands twice would match twice"


def test_a_comparable_row_is_complete():
    """A row that says a protocol of ours and a number of images is meant to be compared, so it says all of its model."""
    for number in published_numbers():
        if number.protocol in ("ddpm", "adm") and number.num_images and number.objective and number.parameters:
            for column in ("sampler", "steps", "spacing", "timesteps", "clip_x_0", "weights", "training_steps"):
                if "cascade" not in number.sampler:
                    assert getattr(number, column), (column, number)


def chosen(**wanted):
    return [item for item in published_numbers() if all(getattr(item, key) == value for key, value in wanted.items())]


def test_errors_of_the_papers_are_marked():
    (misprint,) = chosen(table="Table 10", model="ADM-G (540K), ADM-U (500K)", metric="fid")
    assert misprint.value == "3.85" and "misprint" in misprint.note and "3.94" in misprint.note
    (readme,) = chosen(table="guided-diffusion README", metric="fid", size="64")
    assert "unguided" in readme.note and readme.protocol == ""
    unguided = chosen(table="Table 5", metric="fid", size="64", paper="ADM", conditional="yes", guidance_scale="0")
    assert {item.value: item.dropout for item in unguided if item.dropout} == {"2.07": "0.1", "2.61": "0", "2.92": "0"}
    (ten,) = chosen(paper="DDIM", dataset="cifar10", steps="10", eta="0", metric="fid")
    assert ten.value == "13.36" and "8.23" in ten.note
    assert not chosen(paper="DDIM", metric="fid", value="8.23") + chosen(
        paper="Improved DDPM", metric="fid", value="2.94"
    )
    (best,) = chosen(paper="Improved DDPM", dataset="cifar10", metric="fid", value="2.90")
    assert best.schedule == "linear" and "2.94" in best.note
    (bits,) = chosen(
        paper="Improved DDPM", dataset="cifar10", value="2.94", objective="vlb_loss_aware", table="Table 2"
    )
    assert bits.metric == "nll_bits_per_dim" and "FID" in bits.note


def test_a_spread_belongs_to_its_number_and_numbers_of_two_sources_stand_once():
    found = chosen(
        paper="Score SDE", table="Table 1", model="VP (DDPM) discrete objective", sampler="ancestral", steps="1000"
    )
    assert [(item.value, item.spread, item.standard_deviation) for item in found] == [("3.24", "0.02", 0.02)]
    (scored,) = chosen(paper="DDPM", table="Table 1", metric="inception_score", objective="simple")
    assert scored.spread == "0.11" and scored.standard_deviation == 0, "parts of one set say nothing of another set"
    assert scored.rounding == pytest.approx(0.005)
    assert not [item for item in published_numbers() if "std" in item.metric.lower().split("_")]


def test_data_without_published_scores_have_none():
    assert numbers_of("digits", "8") == [] and numbers_of("mnist", "28") == [] and numbers_of("cifar10", "64") == []
    assert data_name("lsun", "church_outdoor") == "lsun_church" and data_name("cifar10") == "cifar10"
    counts = Counter(item.dataset for item in numbers_of("imagenet", "64"))
    assert counts["imagenet_release"] > 10 and counts["imagenet"] > 10


@pytest.mark.parametrize(
    "ours, theirs, same",
    [
        ("35746307", "35.7M", True), ("35846307", "35.7M", False), ("190369", "35.7M", False),
        ("552814086", "552M", True), ("553838086", "554M", True), ("550000000", "552M", False),
        ("52546438", "~50M", True), ("60000000", "~50M", False), ("", "35.7M", False), ("35746307", "", False),
    ],
)  # fmt: skip
def test_parameters_are_compared_as_papers_print_them(ours, theirs, same):
    assert same_parameters(ours, theirs) is same


def test_a_damaged_file_is_named_with_its_line(tmp_path):
    path = tmp_path / "numbers.csv"
    lines = FILE.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1], "a,b"]) + "\n")
    with pytest.raises(UserError, match="line 3 has 2 cells"):
        read_numbers(path)
    path.write_text(lines[0].replace("dropout", "droput") + "\n")
    with pytest.raises(UserError, match="dropout, droput"):
        read_numbers(path)
    with open(FILE, newline="") as file:
        assert next(csv.reader(file)) == list(COLUMNS)
