"""A sampler of one's own: the file that the README prints, and one entry in the configuration."""

import csv
import re
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"


def printed_file() -> str:
    """Return the README's example of a sampler in one file."""
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    found = [block for block in blocks if "class MySampler" in block]
    assert len(found) == 1, "the README shows one file with `class MySampler`"
    return found[0]


@pytest.mark.slow
def test_only_its_jobs_run_and_its_rows_stand_beside_the_baselines(finished):
    def add(config):
        config["samplers"]["mine"] = {"name": "my_sampler.MySampler"}
        config["runs"][0]["samplers"].append("mine")

    def rows():
        with open(finished.root / "results/table2.csv") as file:
            return [row for row in csv.reader(file)]

    before = rows()
    (finished.root / "my_sampler.py").write_text(printed_file())
    finished.configure(add)
    jobs = finished.plan()
    assert {wildcards["sampler"] for _, wildcards in jobs if "sampler" in wildcards} == {"mine"}
    assert set(finished.count(jobs)) == {"sample", "extract", "score_samples", "samples_figure", "table2"}
    finished.snakemake("results/table2.csv")
    after = rows()
    assert [row for row in after if "mine" not in row] == before
    assert len(after) == len(before) + 4


@pytest.mark.slow
def test_an_edit_of_it_samples_again(finished):
    finished.write("my_sampler.py", printed_file())
    finished.configure(lambda config: config["samplers"].update(mine={"name": "my_sampler.MySampler"}))
    finished.configure(lambda config: config["runs"][0].update(samplers=["mine"]))
    finished.snakemake("results/table2.csv")
    assert finished.plan() == []
    finished.write("my_sampler.py", printed_file() + "\nEDITED = True\n")
    assert finished.count(finished.plan())["sample"] == 4
