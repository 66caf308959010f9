"""Commands that need results say which command makes them, with the benchmark's own file."""

import shlex

import pytest

from diffbench.benchmark.places import CONFIGURATION, PACKAGE_ROOT
from diffbench.commands import missing

SMOKE = "workflow/config/smoke.yaml"


@pytest.mark.parametrize(
    "arguments",
    ["compare a/b/1 c/d/1", "costs", "verify", "adopt results", "compare a/b/1 c/d/1 --results results/table2.csv"],
)
def test_the_default_benchmark_is_made_by_one_command(diffbench, tmp_path, arguments):
    done = diffbench(*arguments.split(), cwd=tmp_path)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 2 and done.stdout == ""
    assert line.endswith("make them by: snakemake --cores all results/table2.csv")


def test_a_command_that_uv_started_names_commands_that_uv_starts(diffbench, tmp_path, monkeypatch):
    monkeypatch.setenv("UV_RUN_RECURSION_DEPTH", "1")
    done = diffbench("verify", cwd=tmp_path)
    assert done.stderr.endswith("make them by: uv run snakemake --cores all results/table2.csv\n")


@pytest.mark.parametrize(
    ("arguments", "target"),
    [
        ("compare a/b/1 c/d/1 --results runs/smoke/results", "table2"),
        ("compare a/b/1 c/d/1 --results runs/smoke/results/table4.csv", "table4"),
        ("costs runs/smoke/results/logs", "table2"),
        ("verify runs/smoke/results", "table2"),
        ("verify runs/smoke", "table2"),
        ("adopt runs/smoke/results", "table2"),
    ],
)
def test_another_benchmark_is_made_with_its_file(diffbench, tmp_path, monkeypatch, arguments, target):
    done = diffbench(*arguments.split(), cwd=PACKAGE_ROOT)
    if done.returncode == 0 or "snakemake" not in done.stderr:
        pytest.skip("this checkout has results of the benchmark smoke")
    command = f"make them by: snakemake --cores all results/{target}.csv --configfile {SMOKE}"
    assert done.returncode == 2 and command in done.stderr and len(done.stderr.splitlines()) == 1


def test_a_benchmark_of_your_own_is_found_by_what_configured_it_or_by_its_name(diffbench, tmp_path):
    (tmp_path / "my cats.yaml").write_text("benchmark: cats\n")
    (tmp_path / "dogs.yaml").write_text("benchmark: dogs\n")
    done = diffbench("verify", "runs/cats/results", cwd=tmp_path)
    assert done.stderr.endswith(f"results/table2.csv --configfile {shlex.quote('my cats.yaml')}\n")
    done = diffbench("verify", "runs/birds/results", cwd=tmp_path)
    assert done.stderr.endswith("--configfile YOUR.yaml\n")
    note = tmp_path / "runs/cats" / CONFIGURATION
    note.parent.mkdir(parents=True)
    note.write_text("../../dogs.yaml\n")
    done = diffbench("costs", "runs/cats/results/logs", cwd=tmp_path)
    assert done.stderr.endswith("--configfile dogs.yaml\n")


def test_results_that_are_here_are_named(diffbench, tmp_path):
    (tmp_path / "runs/mine/results/scores").mkdir(parents=True)
    (tmp_path / "runs/empty/results").mkdir(parents=True)
    done = diffbench("compare", "a/b/1", "c/d/1", cwd=tmp_path)
    assert done.stderr.endswith("results/table2.csv; results that are here: runs/mine/results\n")


def test_a_command_of_the_workflow_says_that_it_needs_a_clone_if_there_is_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = "snakemake --cores all results/table2.csv --configfile own.yaml"
    assert missing.making("results/table2.csv", tmp_path / "own.yaml") == command
    monkeypatch.setattr(missing, "PACKAGE_ROOT", tmp_path / "site-packages")
    assert missing.making("results/table2.csv", tmp_path / "own.yaml") == f"{command}, in a clone of the project"
    (tmp_path / "Snakefile").touch()
    assert missing.making("results/table2.csv", tmp_path / "own.yaml") == command
