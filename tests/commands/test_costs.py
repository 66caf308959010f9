"""Costs are sums over the run records of a folder."""

from diffbench.base.artifacts import run_record
from diffbench.commands.costs import costs


def test_stages_are_summed_in_the_order_of_the_chain(tmp_path):
    for name, stage in (("b", "sample"), ("a", "train"), ("c", "sample")):
        with run_record(tmp_path / stage / f"{name}.run.json", stage=stage):
            pass
    lines = costs(tmp_path).splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [["train", "1"], ["sample", "2"], ["all", "3"]]


def test_an_empty_folder_says_so(tmp_path):
    assert costs(tmp_path) == f"{tmp_path}: no run records"
