"""The workflow's configuration is what our own reader reads, whatever Snakemake makes of it."""

import json
import re
import subprocess

import pytest

SMOKE = "workflow/config/smoke.yaml"
TERMS = "results/terms/ddpm/train0/test.npz"
PAYLOAD = '__use_yte__: true\n?open("it_ran", "w").close() or "a": 1\n'


def bound_of(tree, *arguments, expect=0, environment=None):
    """Return the bound's settings of the first job that evaluates it, in a dry run, and what was said."""
    command = ("--cores", "1", "-n", "-p", *arguments, "--", TERMS)
    done = tree.forked(*command, expect=expect, environment=environment)
    said = done.stdout + done.stderr
    found = re.search(r'"bound": (\{[^{}]*\})', said)
    return json.loads(found[1]) if found else None, said


def test_settings_of_the_command_line_are_numbers_below_the_first_level(fresh):
    bound, _ = bound_of(fresh, "--configfile", SMOKE, "--config", "bound={num_images: 50}", "execution={threads: 2}")
    assert (bound["num_images"], bound["timesteps"]) == (50, 8)
    _, said = bound_of(fresh, "--config", "bound={num_images: 010}", expect=2)
    assert "diffbench: --config bound: line 1: 010 is one number to some readers" in said


def test_several_files_are_laid_over_each_other_by_our_reader(fresh):
    fresh.write("over.yaml", "bound: {num_images: 0b11}\n")
    _, said = bound_of(fresh, "--configfile", SMOKE, "over.yaml", "--config", "bound={timesteps: 3}", expect=2)
    assert "over.yaml: line 1: 0b11 is one number to some readers" in said
    fresh.write("over.yaml", "bound: {num_images: 51}\n")
    bound, _ = bound_of(fresh, "--configfile", SMOKE, "over.yaml", "--config", "bound={timesteps: 3}")
    assert (bound["num_images"], bound["timesteps"]) == (51, 3)


def test_a_strangers_file_runs_nothing_by_the_variable_or_behind_check(fresh):
    content = (fresh.root / SMOKE).read_text()
    (fresh.root / "theirs.yaml").write_text(PAYLOAD + content)
    ran = fresh.root / "it_ran"
    _, said = bound_of(fresh, expect=2, environment={"DIFFBENCH_CONFIG": "theirs.yaml"})
    assert "theirs.yaml: line 1: the key __use_yte__ makes Snakemake run Python" in said and not ran.exists()
    done = fresh.run("diffbench", "check", "theirs.yaml", expect=2)
    assert "the key __use_yte__" in done.stderr and done.stderr.count("\n") == 1 and not ran.exists()
    # What makes the two necessary.
    bound_of(fresh, "--configfile", "theirs.yaml", expect=2)
    assert ran.exists()


def test_the_variable_gives_the_benchmark(fresh):
    named = {"DIFFBENCH_CONFIG": SMOKE}
    bound, _ = bound_of(fresh, "--config", "bound={num_images: 60}", environment=named)
    assert (bound["num_images"], bound["timesteps"]) == (60, 8)
    _, said = bound_of(fresh, "--configfile", SMOKE, environment=named, expect=2)
    assert "DIFFBENCH_CONFIG names workflow/config/smoke.yaml, and --configfile another benchmark; give one" in said


@pytest.mark.slow
def test_jobs_find_the_benchmark_that_the_variable_names(fresh):
    done = subprocess.run(
        ["snakemake", "--cores", "2", "results/data/test.npz"],
        cwd=fresh.root,
        env=fresh.environment | {"DIFFBENCH_CONFIG": SMOKE},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert (fresh.root / "runs/smoke/results/data/test.npz").is_file()
