"""DVC around the workflow: one stage, whose records travel, so that clones are judged by content. With real clones."""

import json
from pathlib import Path

import pytest

from diffbench.base.digests import sha256

pytestmark = pytest.mark.slow

NOTHING = "Nothing to be done"


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


def test_a_clone_that_pulls_has_nothing_to_do_and_a_change_repeats_what_depends_on_it(finished, tmp_path):
    versioned(finished, tmp_path / "remote")
    shown = json.loads(finished.run("dvc", "metrics", "show", "--json").stdout)
    assert "fid" in json.dumps(shown)

    finished.run("git", "clone", "--quiet", str(finished.root), str(tmp_path / "clone"))
    clone = type(finished)(tmp_path / "clone")
    clone.run("dvc", "pull")
    assert sha256(clone.root / "results/table2.csv") == sha256(finished.root / "results/table2.csv")
    assert clone.nothing_to_do("results/table2.csv")
    assert clone.plan("table2") == []
    assert "up to date" in clone.run("dvc", "status").stdout

    clone.run("dvc", "plots", "show", "--out", "dvc_plots")
    page = (clone.root / "dvc_plots/index.html").read_text()
    assert "table2" in page and "fid_vs_steps.png" in page

    clone.configure(lambda config: config["protocols"]["digits"].update(k=2))
    assert set(clone.count(clone.plan("table2"))) == {"score_samples", "score_real", "table2"}
    before = (clone.root / "results/models/ddpm/train0/weights.safetensors").stat().st_mtime_ns
    clone.run("dvc", "repro")
    assert (clone.root / "results/models/ddpm/train0/weights.safetensors").stat().st_mtime_ns == before
    changed = json.loads(clone.run("dvc", "metrics", "diff", "--json").stdout)
    assert "precision" in json.dumps(changed) and "nll_bits_per_dim" not in json.dumps(changed)


@pytest.mark.parametrize("links", ["symlink", "hardlink"])
def test_a_clone_with_links_into_the_cache_has_nothing_to_do_either(finished, tmp_path, links):
    versioned(finished, tmp_path / "remote")
    finished.run("git", "clone", "--quiet", str(finished.root), str(tmp_path / "clone"))
    clone = type(finished)(tmp_path / "clone")
    clone.run("dvc", "config", "--local", "cache.type", links)
    clone.run("dvc", "pull")
    assert clone.nothing_to_do("results/table2.csv")
