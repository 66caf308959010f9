"""Results that are not the configuration's, and that Snakemake would leave as they are, stop a run."""

import json

import pytest

from diffbench.base.digests import spec_digest
from diffbench.base.errors import UserError
from diffbench.base.provenance import write_provenance
from diffbench.benchmark.foreign import snakemake_record
from diffbench.benchmark.graph import Artifact
from diffbench.benchmark.guard import require_own_results

PATH = "results/table2.csv"
OLD, NEW = {"eta": 0.0}, {"eta": 0.5}
TABLE = Artifact(PATH, spec_digest(NEW), NEW)


@pytest.fixture
def tree(tmp_path):
    """A tree whose table is of older settings."""
    return made_of(OLD, tmp_path)


def made_of(spec, home):
    (home / PATH).parent.mkdir(parents=True, exist_ok=True)
    (home / PATH).write_text("model,fid\n")
    write_provenance(home / PATH, spec=spec)
    return home


def snakemake_knows(home, spec):
    record = snakemake_record(home, PATH)
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps({"params": [repr(json.dumps(spec))]}))


def refused(home, *words):
    try:
        require_own_results(home, [TABLE], [TABLE], ["snakemake", *words])
    except UserError as error:
        return str(error)
    return ""


def test_snakemakes_own_record_of_older_settings_makes_it_again(tree):
    snakemake_knows(tree, OLD)
    assert not refused(tree)
    said = refused(tree, "--rerun-triggers", "mtime")
    assert said.startswith(f"{tree}: {PATH} are of other settings, code or data than this configuration")
    assert refused(tree, "--rerun-triggers=mtime")


def test_no_record_or_one_that_was_written_anew_does_not(tree):
    assert refused(tree)
    snakemake_knows(tree, NEW)
    assert refused(tree)


@pytest.mark.parametrize("words", [["--forceall"], ["-F"], ["--mode=subprocess"], ["--unlock"]])
def test_what_makes_all_again_or_nothing_is_no_matter(tree, words):
    assert not refused(tree, *words)


def test_results_of_the_configuration_or_of_none_pass(tmp_path):
    assert not refused(tmp_path)
    assert not refused(made_of(NEW, tmp_path))


def test_an_edited_table_is_refused_unless_it_is_asked_for_anew(tmp_path):
    home = made_of(NEW, tmp_path)
    (home / PATH).write_text("model,fid\nours,0.0\n")
    assert "is not what its record says" in refused(home) and f"-f {PATH}" in refused(home)
    for words in (["-f", PATH], ["--forcerun", "table2"], ["-R", "table2"], ["--forceall"], ["--mode", "remote"]):
        assert not refused(home, *words)
