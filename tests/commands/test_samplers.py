"""What a text on the command line names as a sampler, and the folder that its sample sets get."""

import re

import pytest

from diffbench.base.errors import UserError
from diffbench.commands.sampler_option import LONGEST, as_entry, parsed

KNOWN = {"ancestral": {}, "ddim": {"eta": 0.0}, "mine": {"name": "own.Sampler", "churn": 3}}


def test_a_name_its_options_and_their_types():
    assert parsed("ddim", "--x") == ("ddim", {})
    text = "own.Sampler eta=0.5 order=2 clip=true grid=karras sections=[3,4]"
    assert parsed(text, "--x") == (
        "own.Sampler",
        {"eta": 0.5, "order": 2, "clip": True, "grid": "karras", "sections": [3, 4]},
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (" ", "--x: an empty name"),
        ("ddim eta", "--x 'ddim eta': 'eta' is not an option"),
        ("ddim =1", "'=1' is not an option"),
        ("ddim name=ancestral", "'name=ancestral' is not an option"),
        ("ddim eta=0 eta=1", "'eta' is given twice"),
        ("ddim eta=[", "'[' is not a value"),
    ],
)
def test_a_text_that_is_not_of_the_form_is_one_line(text, said):
    with pytest.raises(UserError) as caught:
        parsed(text, "--x")
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_an_entry_keeps_its_name_and_options_are_laid_over_it():
    assert as_entry("ddim", KNOWN, "--x") == ("ddim", {"eta": 0.0})
    assert as_entry("ddim eta=0.5", KNOWN, "--x") == ("ddim+eta-0.5", {"name": "ddim", "eta": 0.5})
    name, entry = as_entry("mine steps=4 churn=1", KNOWN, "--x")
    assert (name, entry) == ("mine+churn-1+steps-4", {"name": "own.Sampler", "churn": 1, "steps": 4})
    assert as_entry("other.Sampler", KNOWN, "--x") == ("other.Sampler", {"name": "other.Sampler"})


def test_a_name_of_neither_entry_nor_part_is_refused():
    with pytest.raises(UserError, match="--x 'ddmi': no sampler 'ddmi'; did you mean 'ddim'.*allowed: .*mine"):
        as_entry("ddmi", KNOWN, "--x")


def test_folders_are_path_safe_and_differ_where_samplers_may():
    texts = [
        *("ddim eta=0.5", "ddim eta=5", "ddim eta='0.5'", "ddim eta=-5", "ddim a=1 b=2", "ddim a=1+b-2"),
        *("ddim a=x/y", "ddim a=x:y", "ddim a=[1,2]", "ddim a=[12]", "ddim a=1,2", "ddim a=..", "my.A", "my.A eta=1"),
        *(f"my.{'A' * 80}{letter}" for letter in "xy"),
    ]
    names = [as_entry(text, KNOWN, "--x")[0] for text in texts]
    assert len(set(names)) == len(texts)
    assert all(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*", name) and len(name) <= LONGEST for name in names)
    assert names == [as_entry(text, KNOWN, "--x")[0] for text in texts]


def test_an_entry_that_has_the_name_already_keeps_it():
    taken = KNOWN | {"ddim+eta-0.5": {"name": "ddim", "eta": 0.7}}
    name, entry = as_entry("ddim eta=0.5", taken, "--x")
    assert name != "ddim+eta-0.5" and entry["eta"] == 0.5
