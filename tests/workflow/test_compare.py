"""`diffbench compare-samplers`: what runs, what does not, and what becomes of what was there."""

import csv
import sys

import pytest

from diffbench.base.provenance_file import read_provenance

BROKEN = """
import torch
from dataclasses import dataclass
from typing import ClassVar

from diffbench import State


@dataclass(frozen=True)
class Broken:
    order: ClassVar[int] = 1
    startup_order: ClassVar[int] = 1
    stochastic: ClassVar[bool] = False
    applies_gradient: ClassVar[bool] = False

    def __call__(self, denoiser, chain, x_T, noise):
        for i in range(len(chain)):
            yield State(chain.level(i + 1), x_T * float("nan"), x_T)
"""
QUESTION = ("--baseline", "ddim", "--models", "ddpm", "--cores", "2")


def compare(tree, *arguments, expect=0):
    return tree.run(sys.executable, "-m", "diffbench.cli", "compare-samplers", *arguments, expect=expect)


def state(tree, *folders):
    """Return every file below folders of results, with its time."""
    root = tree.root / "results"
    paths = [path for folder in folders for path in (root / folder).rglob("*") if path.is_file()]
    return {str(path): path.stat().st_mtime_ns for path in paths}


@pytest.fixture
def small(fresh):
    """A checkout in which a table of one model has been made."""

    def one_model(config):
        run = config["runs"][0] | {"models": ["ddpm"], "samplers": ["ddim"], "steps": [2, 3], "num_images": 100}
        config["runs"] = [run]

    fresh.configure(one_model)
    fresh.snakemake("results/table2.csv")
    return fresh


OWN = ("data", "models", "samples", "features", "scores", "figures", "terms", "classifiers")


@pytest.mark.slow
def test_only_what_is_missing_is_made_and_the_table_stays_as_it_is(small, code_block):
    (small.root / "two_step.py").write_text(code_block("docs/own_sampler.md"))
    before = state(small, *OWN)
    done = compare(small, "--candidate", "two_step.TwoStep", *QUESTION, "--steps", "2,4")
    assert "will be trained" not in done.stderr
    assert state(small, *OWN) == before
    made = {path for path in state(small, "compared") if path.endswith(".npz") and "/samples/" in path}
    names = sorted(path.partition("/samples/")[2] for path in made)
    # ddim at 2 steps is the table's, its 4 steps are not.
    assert names == [
        "ddpm/train0/ddim/sample0/4.npz",
        "ddpm/train0/two_step.TwoStep/sample0/2.npz",
        "ddpm/train0/two_step.TwoStep/sample0/4.npz",
    ]
    (folder,) = (small.root / "results/compared").glob("two_step.TwoStep_vs_ddim_*")
    assert (folder / "fid_vs_nfe.png").stat().st_size > 1000
    made = read_provenance(folder / "verdicts.csv")
    assert made["places"] == {place: place for place in made["inputs"]} and len(made["places"]) == 5
    assert made["spec"]["question"]["candidates"] == ["two_step.TwoStep"]
    with open(folder / "verdicts.csv") as file:
        rows = list(csv.DictReader(file))
    assert [(row["steps"], row["candidate_nfe"], row["baseline_nfe"]) for row in rows] == [
        ("2", "2", "2"),
        ("4", "4", "4"),
    ]
    assert {row["interval"] for row in rows} == {"paired image by image"}
    assert "NFE, candidate / baseline" in done.stdout and "2 / 2" in done.stdout

    # Another question makes none of it again, and the table has nothing to do.
    apart = state(small, "compared")
    compare(small, "--candidate", "two_step.TwoStep", *QUESTION, "--steps", "2,5")
    assert {path: time for path, time in state(small, "compared").items() if path in apart} == apart
    assert small.nothing_to_do("results/table2.csv")
    # Another number of images neither replaces these sets nor takes them for its own.
    compare(small, "--candidate", "ddim eta=1.0", *QUESTION, "--steps", "2", "--num-images", "60")
    after = state(small, *OWN, "compared")
    assert {path: time for path, time in after.items() if path in apart or path in before} == before | apart
    assert (small.root / "results/compared/n60/samples/ddpm/train0/ddim/sample0/2.npz").is_file()

    # A sampler that fails is one line at the end; what was there stays.
    (small.root / "broken.py").write_text(BROKEN)
    failed = compare(small, "--candidate", "broken.Broken", *QUESTION, "--steps", "2", expect=2)
    last = failed.stderr.splitlines()[-1]
    assert last.startswith("diffbench: sampler Broken: step 0 returned values that are not finite")
    assert "Traceback" not in failed.stderr
    assert {path: time for path, time in state(small, *OWN).items() if path in before} == before


@pytest.mark.slow
def test_weights_that_are_missing_are_trained_and_said_first(fresh):
    done = compare(
        fresh, "--candidate", "ancestral", *QUESTION, "--steps", "2", "--train-seeds", "7", "--num-images", "60"
    )
    assert done.stderr.splitlines()[0] == "diffbench: ddpm, train seed 7, has no weights yet: it will be trained first"
    assert (fresh.root / "results/models/ddpm/train7/weights.safetensors").is_file()
    assert not (fresh.root / "results/models/iddpm").exists() and not (fresh.root / "results/samples").exists()


def test_a_mistake_is_one_line_before_any_work(fresh):
    done = compare(fresh, "--candidate", "ddmi", *QUESTION, "--steps", "2", expect=2)
    assert len(done.stderr.splitlines()) == 1 and "did you mean 'ddim'" in done.stderr
    assert not (fresh.root / "results/compared").exists()
