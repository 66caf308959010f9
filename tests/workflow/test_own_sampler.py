"""Your own sampler: the file that the tutorial prints, and one entry in the configuration."""

import csv

import pytest


@pytest.fixture
def printed_file(code_block):
    """The tutorial's example of a sampler in one file."""
    return code_block("docs/tutorial.md", "class MySampler")


@pytest.mark.slow
def test_only_its_jobs_run_and_its_rows_stand_beside_the_baselines(finished, printed_file):
    def add(config):
        config["samplers"]["mine"] = {"name": "my_sampler.MySampler"}
        config["runs"][0]["samplers"].append("mine")

    def rows():
        with open(finished.root / "results/table2.csv") as file:
            return [row for row in csv.reader(file)]

    before = rows()
    (finished.root / "my_sampler.py").write_text(printed_file)
    finished.configure(add)
    jobs = finished.plan()
    assert {wildcards["sampler"] for _, wildcards in jobs if "sampler" in wildcards} == {"mine"}
    assert set(finished.count(jobs)) == {
        "sample",
        "extract",
        "score_samples",
        "figures_model_ddpm",
        "figures_model_iddpm",
        "table2",
    }
    finished.snakemake("results/table2.csv")
    after = rows()
    assert [row for row in after if "mine" not in row] == before
    assert len(after) == len(before) + 4


@pytest.mark.slow
def test_an_edit_of_it_samples_again(finished, printed_file):
    finished.write("my_sampler.py", printed_file)
    finished.configure(lambda config: config["samplers"].update(mine={"name": "my_sampler.MySampler"}))
    finished.configure(lambda config: config["runs"][0].update(samplers=["mine"]))
    finished.snakemake("table2", "claims")
    assert finished.plan() == []
    finished.write("my_sampler.py", printed_file + "\nEDITED = True\n")
    assert finished.count(finished.plan())["sample"] == 4
