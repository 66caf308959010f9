"""The paths of artifacts, with values and as patterns for the workflow's rules."""

import inspect
import re

import pytest

from diffbench.benchmark import paths
from diffbench.benchmark.sample_set import SampleSet

ROW = SampleSet("adm_g@0.5", "ddim", 25, 0, 1, 100, ("digits",))


def test_the_pattern_of_a_rule_is_the_path_of_a_row():
    place = paths.place_of(ROW)
    assert place == "adm_g@0.5/train0/ddim/sample1"
    named = {"model": ROW.model, "sampler": "ddim", "train_seed": 0, "sample_seed": 1, "steps": 25, "tree": "results"}
    pattern = paths.samples("{tree}", paths.PLACE, "{steps}")
    assert pattern.format(**named) == paths.samples("results", place, 25)
    assert paths.samples("results", place, 25) == "results/samples/adm_g@0.5/train0/ddim/sample1/25.npz"


def test_no_two_kinds_of_artifacts_lie_at_one_place():
    """Each function with the same words: what it is about must be in its path."""
    makers = [found for _, found in inspect.getmembers(paths, inspect.isfunction) if found.__module__ == paths.__name__]
    apart = {"place_of", "one_of", "record", "training_log", "validation", "compared_tree", "subject_of", "row_of"}
    apart |= {"formats", "table_formats"}  # of one artifact in several files
    made = []
    for maker in makers:
        if maker.__name__ not in apart:
            required = [p for p in inspect.signature(maker).parameters.values() if p.default is p.empty]
            made.append(maker(*("results" if p.name == "tree" else p.name for p in required)))
    assert len(made) == len(set(made)) > 12 and all(path.startswith("results/") for path in made)


def test_a_log_lies_in_the_tree_of_its_job():
    assert paths.log("score", "digits/real") == "results/logs/score/digits/real.log"
    assert paths.log("sample", "a/4", paths.compared_tree(60)) == "results/compared/n60/logs/sample/a/4.log"


@pytest.mark.parametrize(("name", "found"), [("a.b", True), ("acb", False), ("c", True), ("cc", False)])
def test_a_wildcard_is_one_of_the_names_to_the_letter(name, found):
    assert bool(re.fullmatch(paths.one_of(["a.b", "c"]), name)) == found
