"""A job refuses inputs that were made from something else than its spec names, however well they are kept."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from diffbench.base.digests import FOREIGN, sha256, spec_digest
from diffbench.base.errors import UserError
from diffbench.base.inputs import checked, upstream_of
from diffbench.base.provenance import write_provenance
from diffbench.jobs.tabulate import TableJob, TablePart
from diffbench.stages.tabulate import tabulate


@pytest.fixture
def made(tmp_path):
    """made(name, eta) -> an artifact of a job with this setting."""

    def made(name: str, eta: float) -> Path:
        path = tmp_path / name
        path.write_text(f"made with {eta}")
        write_provenance(path, spec={"eta": eta})
        return path

    return made


def test_what_the_spec_names_is_taken_and_anything_else_refused(made):
    wanted = {"weights": spec_digest({"eta": 0.5})}
    assert checked({"weights": made("new", 0.5)}, upstream=upstream_of(wanted)).sha256
    with pytest.raises(UserError, match=r"old: was made from other settings, code or data than this job is of"):
        checked({"weights": made("old", 0.0)}, upstream=upstream_of(wanted))


def test_a_spec_without_upstream_takes_what_it_is_given(made):
    assert upstream_of({}) == {}
    assert checked({"weights": made("any", 0.0)}, upstream=upstream_of({})).records


def test_a_foreign_file_is_known_by_its_content(tmp_path):
    path = tmp_path / "theirs.pt"
    path.write_bytes(b"weights")
    wanted = {"weights": FOREIGN + sha256(path)[:16]}
    assert checked({"weights": path}, foreign=["weights"], upstream=wanted)
    path.write_bytes(b"others")
    with pytest.raises(UserError, match="theirs.pt: was made from other"):
        checked({"weights": path}, foreign=["weights"], upstream=wanted)


def test_files_of_a_list_are_compared_each_with_its_own(made):
    files = [made("a", 0.0), made("b", 0.5)]
    expected = {"scores": [spec_digest({"eta": 0.0}), spec_digest({"eta": 0.5})]}
    wanted = upstream_of(expected, scores=files)
    assert checked({str(path): path for path in files}, upstream=wanted)
    turned = upstream_of(expected, scores=files[::-1])
    with pytest.raises(UserError, match="was made from other settings"):
        checked({str(path): path for path in files}, upstream=turned)
    with pytest.raises(UserError, match="--scores: 1 files, and the spec is of 2"):
        upstream_of(expected, scores=files[:1])


def test_a_table_refuses_scores_of_another_configuration(tmp_path):
    """Whole files with whole records, left over from before a setting changed."""
    row = {"benchmark": "b", "model": "m", "sampler": "ddim", "steps": 10, "guidance_scale": None}
    row |= {"train_seed": 0, "sample_seed": 0, "num_images": 4, "protocol": "p", "metric": "fid"}
    scores = tmp_path / "scores.json"
    scores.write_text(json.dumps({"records": [row | {"value": 1.0, "low": 0.5, "high": 1.5, "covers": "sampling"}]}))
    write_provenance(scores, spec={"upstream": {"samples": "of eta 0"}})
    job = TableJob(benchmark="b", table=TablePart("table2"))
    now, then = ({"upstream": {"samples": text}} for text in ("of eta 0.5", "of eta 0"))
    out = tmp_path / "table2.csv"
    with pytest.raises(UserError, match=r"scores.json: was made from other settings, code or data"):
        tabulate(replace(job, upstream={"scores": (spec_digest(now),)}), scores=[scores], out_table=out)
    assert not out.exists()
    tabulate(replace(job, upstream={"scores": (spec_digest(then),)}), scores=[scores], out_table=out)
    assert out.exists()
