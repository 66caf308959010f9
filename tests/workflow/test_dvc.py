"""DVC around the workflow: one stage, whose records travel, so that clones are judged by content. With real clones."""

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

from diffbench.base.digests import sha256

NOTHING = "Nothing to be done"
ROOT = Path(__file__).parents[2]
CONFIG = "workflow/config/digits.yaml"
NOT_TRACKED = {"results/report.html"}
"""What a run writes and DVC does not track, because it shows the run's cost. Logs and cost.csv are no outputs."""


def test_each_output_of_the_default_benchmark_is_tracked_once_and_every_plot_is_made(fresh):
    shutil.copy2(ROOT / CONFIG, fresh.root / CONFIG)
    made = set(fresh.outputs("all"))
    file = yaml.safe_load((ROOT / "dvc.yaml").read_text())
    stage = file["stages"]["bench"]
    tracked = [path for kind in ("outs", "metrics") for entry in stage[kind] for path in entry]
    holding = {path: [of for of in tracked if path == of or path.startswith(f"{of}/")] for path in made}
    assert {path for path, of in holding.items() if not of} == NOT_TRACKED
    assert [path for path, of in holding.items() if len(of) > 1] == []
    assert set(tracked) - {of for every in holding.values() for of in every} == {".snakemake/metadata"}
    plotted = [entry if isinstance(entry, str) else [*next(iter(entry.values()))["y"]][0] for entry in file["plots"]]
    assert set(plotted) <= made and "plots" not in stage


def versioned(tree, remote: Path):
    """Make a finished checkout a repository, its results recorded by DVC and pushed to a remote in a folder."""
    tree.run("git", "init", "--quiet")
    tree.run("git", "add", "-A")
    tree.run("git", "commit", "--quiet", "-m", "start")
    tracked = tree.run("git", "ls-files").stdout.split()
    assert [path for path in tracked if path.startswith(("results", "runs", ".snakemake"))] == ["results/README.md"]
    repro = tree.run("dvc", "repro")
    assert NOTHING in repro.stdout + repro.stderr
    tree.run("dvc", "remote", "add", "--default", "folder", str(remote))
    tree.run("git", "add", "-A")
    tree.run("git", "commit", "--quiet", "-m", "results")
    tree.run("dvc", "push")


@pytest.mark.slow
def test_a_clone_that_pulls_has_nothing_to_do_and_a_change_repeats_what_depends_on_it(finished, tmp_path):
    versioned(finished, tmp_path / "remote")
    shown = json.loads(finished.run("dvc", "metrics", "show", "--json").stdout)
    (numbers,) = (file["data"] for file in shown[""]["data"].values())
    assert {name: set(of) for name, of in numbers.items()} == {
        name: {"fid", "row", "bits_per_dim"} for name in ("ddpm", "iddpm")
    }

    finished.run("git", "clone", "--quiet", str(finished.root), str(tmp_path / "clone"))
    clone = type(finished)(tmp_path / "clone")
    clone.run("dvc", "pull")
    assert sha256(clone.root / "results/table2.csv") == sha256(finished.root / "results/table2.csv")
    assert clone.nothing_to_do("results/table2.csv")
    assert clone.plan("table2") == []
    assert "up to date" in clone.run("dvc", "status").stdout

    clone.run("dvc", "plots", "show", "--out", "dvc_plots")
    page = (clone.root / "dvc_plots/index.html").read_text()
    drawn = [json.loads(spec) for spec in re.findall(r"var spec = (\{.*?\});\n", page)]
    bars = {
        spec["encoding"]["x"]["field"]: {
            row["model"]: row[spec["encoding"]["x"]["field"]] for row in spec["data"]["values"]
        }
        for spec in drawn
    }
    assert set(bars) == {"best_fid", "nll_bits_per_dim"} and "fid_vs_steps.png" in page
    assert float(bars["best_fid"]["ddpm"]) == numbers["ddpm"]["fid"]
    assert float(bars["nll_bits_per_dim"]["iddpm"]) == numbers["iddpm"]["bits_per_dim"]

    clone.configure(lambda config: config["bound"].update(num_images=40))
    repeated = set(clone.count(clone.plan("table2")))
    assert {"bound", "table2"} <= repeated and not {"prepare", "train", "sample", "extract"} & repeated
    before = (clone.root / "results/models/ddpm/train0/weights.safetensors").stat().st_mtime_ns
    clone.run("dvc", "repro")
    assert (clone.root / "results/models/ddpm/train0/weights.safetensors").stat().st_mtime_ns == before
    changed = json.loads(clone.run("dvc", "metrics", "diff", "--json").stdout)
    (numbers,) = changed.values()
    assert numbers and all(name.endswith(".bits_per_dim") for name in numbers), "no FID changed"


@pytest.mark.slow
@pytest.mark.parametrize("links", ["symlink", "hardlink"])
def test_a_clone_with_links_into_the_cache_has_nothing_to_do_either(finished, tmp_path, links):
    versioned(finished, tmp_path / "remote")
    finished.run("git", "clone", "--quiet", str(finished.root), str(tmp_path / "clone"))
    clone = type(finished)(tmp_path / "clone")
    clone.run("dvc", "config", "--local", "cache.type", links)
    clone.run("dvc", "pull")
    assert clone.nothing_to_do("results/table2.csv")


@pytest.mark.slow
def test_every_record_of_a_run_fits_its_schema(finished_once, checked_records):
    """In this file because its fixture takes a whole run."""
    counted = checked_records(finished_once.root / "results")
    assert counted["metrics"] == 1 and min(counted["run"], counted["record"], counted["scores"]) > 5
