"""`diffbench claims`: its text and table on made records, a claim of your own, and bad input."""

import csv
import re
from pathlib import Path

import pytest

from diffbench.base.errors import UserError
from diffbench.base.provenance_file import read_provenance
from diffbench.commands.claims.run import claims
from diffbench.commands.claims.table import tabulate
from diffbench.commands.verify.rerun import remade
from diffbench.comparison.claims._found import claim_ids
from diffbench.jobs.claims import ClaimsJob


@pytest.fixture
def tree(made_records):
    """Three seeds of a wide and a narrow model, and of one that was trained on the bound."""
    for name, settings, fids in (
        ("narrow", {}, (20, 21, 22.5)),
        ("wide", {"network": {"channels": 16}}, (10, 11, 12.1)),
        ("bound", {"objective": {"name": "vlb"}}, (50, 52, 51)),
    ):
        made_records.model(name, range(3), **settings)
        made_records.samples(name, [{"fid": (fid, fid - 1, fid + 1)} for fid in fids])
    return made_records.results.parent


def test_the_text_has_every_claim_and_counts_the_outcomes(diffbench, tree):
    run = diffbench("claims", "results", cwd=tree)
    assert (run.returncode, run.stderr) == (0, ""), run.stderr
    assert "DDPM-1: holds\n" in run.stdout and "Ho et al. 2020" in run.stdout
    assert "holds              FID(L_simple) - FID(L) < 0  narrow against bound/ancestral/25  -29.8 (" in run.stdout
    assert "ADM-3 (negative control): not testable here" in run.stdout
    counted = re.fullmatch(
        r"(\d+) claims: holds (\d+), not testable here (\d+)\. Intervals are of 95 %\.", run.stdout.splitlines()[-1]
    )
    assert counted is not None
    total, held, untestable = map(int, counted.groups())
    assert total == held + untestable and held == run.stdout.count(": holds\n")
    # The folder of the benchmark means the same.
    assert diffbench("claims", ".", cwd=tree).stdout == run.stdout


def test_the_guides_claim_in_one_file_of_your_own_is_tested_and_written(diffbench, tree, code_block):
    (tree / "my_claims.py").write_text(code_block("docs/claims.md", "class WiderIsBetter"))
    run = diffbench("claims", "--claim", "my_claims.WiderIsBetter", "--claim", "ddpm-1", "--out", "own.csv", cwd=tree)
    assert (run.returncode, run.stdout) == (0, "written to own.csv\n")
    mine, *rest = csv.DictReader((tree / "own.csv").open())
    assert (mine["claim"], mine["outcome"], mine["below"], mine["above"]) == ("MINE-1", "holds", "0", "")
    assert mine["interval"] == "Student's over 3 training seeds" and mine["covers"] == "training and sampling"
    assert float(mine["effect_low"]) < float(mine["effect"]) == pytest.approx(-10.1333, abs=1e-3)
    assert [row["claim"] for row in rest] == ["DDPM-1", "DDPM-1"]
    shown = diffbench("table", "own.csv", cwd=tree).stdout
    assert "| claim | outcome | test | on | effect | published | reason |" in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("claims", "nowhere"), "nowhere: no folder of results"),
        (("claims", "--claim", "DDPM-99"), "no claim 'DDPM-99'; did you mean"),
        (("claims", "--claim", "nothing.Here"), "cannot import 'nothing'"),
        (("claims", "--out", "claims.txt"), "must end in .csv"),
    ],
)
def test_bad_input_is_one_line(diffbench, tree, arguments, said):
    run = diffbench(*arguments, cwd=tree)
    assert run.returncode == 2 and run.stdout == ""
    assert said in run.stderr and run.stderr.count("\n") == 1


def test_a_model_that_was_trained_again_is_refused(diffbench, tree):
    weights = tree / "results/models/wide/train0/weights.safetensors"
    record = weights.with_name("weights.safetensors.json")
    (weights.with_name("other")).write_text("other")
    record.write_text(record.read_text().replace('"steps": 9', '"steps": 8'))
    run = diffbench("claims", cwd=tree)
    assert run.returncode == 2 and "was changed after it was written" in run.stderr


def test_the_artifact_is_made_again_with_the_same_bytes_and_only_from_what_its_spec_names(tree, monkeypatch):
    monkeypatch.chdir(tree)
    scores = sorted(path for path in Path("results/scores").rglob("*.json") if not path.name.endswith(".json.json"))
    job = ClaimsJob(benchmark="made", scores=tuple(map(str, scores[::-1])))
    out = Path("results/claims.csv")
    tabulate(job, scores=scores[::-1], out=out)
    rows = list(csv.DictReader(out.open()))
    assert {row["claim"] for row in rows} == set(claim_ids())
    assert {row["claim"] for row in rows if row["negative_control"]} == {"DDPM-10", "IDDPM-4", "ADM-2", "ADM-3"}
    assert claims(Path("results"), out=Path("printed.csv")) == "written to printed.csv"
    assert Path("printed.csv").read_bytes() == out.read_bytes(), "the order of files decides nothing"
    recorded = read_provenance(out)
    assert recorded["places"] == {str(path): str(path) for path in scores}
    assert remade(tree, {tree / out: recorded}).bad == []
    with pytest.raises(UserError, match="8 files, but the spec names"):
        tabulate(job, scores=scores[1:], out=out)
    scores[0].write_text(scores[0].read_text().replace("fid", "kid"))
    with pytest.raises(UserError, match="json: "):
        tabulate(job, scores=scores, out=out)
