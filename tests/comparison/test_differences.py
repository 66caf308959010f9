"""Differences to a baseline: what is compared with what, and with which intervals."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from diffbench.base.arrays import save_npz
from diffbench.base.errors import UserError
from diffbench.base.inputs import checked
from diffbench.base.provenance import write_provenance
from diffbench.base.provenance_file import read_provenance
from diffbench.base.records import Estimate, Row, record, write_records
from diffbench.commands.compare.differences import main
from diffbench.commands.verify.rerun import remade
from diffbench.jobs.differences import Baselines, DifferencesJob, NamedProtocol
from diffbench.jobs.score import ProtocolPart
from diffbench.jobs.tabulate import ComparedSet
from diffbench.metrics.fid import Fid

PROTOCOL = "protocol=classifier@2;extractor=digits_features@7a8108d6;n=60;precision.k=3"


def compared_set(model, sampler, steps, seed=0, protocol="digits"):
    name = f"{model}_{sampler}_{steps}_{seed}"
    place = {"model": model, "sampler": sampler, "steps": steps, "train_seed": 0, "sample_seed": seed}
    files = {"scores": f"{name}.json", "features": f"{name}.npz", "reference": "real.npz"}
    return ComparedSet(**place, protocol=protocol, **files)


def job_of(sets):
    part = ProtocolPart("classifier", {"extractor": "digits_features", "metrics": ["fid", "precision"]})
    protocols = (NamedProtocol("digits", part), NamedProtocol("labelled", part))
    return DifferencesJob(
        benchmark="smoke", baselines=Baselines("ancestral", "ddpm"), protocols=protocols, sets=tuple(sets)
    )


def test_samplers_are_compared_on_one_model_and_models_under_one_sampler():
    sets = [compared_set(*place) for place in (
        ("ddpm", "ancestral", 4), ("ddpm", "ancestral", 8), ("ddpm", "ddim", 4), ("ddpm", "flow", 0),
        ("iddpm", "ancestral", 4), ("iddpm", "ddim", 4), ("adm@4.0", "ddim", 8),
    )]  # fmt: skip
    assert list(job_of(sets).asked()) == [
        ("sampler", ("ddpm", "ddim", 4), ("ddpm", "ancestral", 4)),
        ("sampler", ("iddpm", "ddim", 4), ("iddpm", "ancestral", 4)),
        ("model", ("iddpm", "ancestral", 4), ("ddpm", "ancestral", 4)),
        ("model", ("iddpm", "ddim", 4), ("ddpm", "ddim", 4)),
    ]


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Return a function that writes the files of sets from one noise, and returns the rows of their differences."""
    monkeypatch.chdir(tmp_path)
    draws = np.random.default_rng(0)
    shared, reference = draws.standard_normal((60, 4)), {"pool": draws.standard_normal((200, 4))}
    save_npz(tmp_path / "real.npz", reference)
    write_provenance(tmp_path / "real.npz", spec={})

    def written(sets, protocols=(), precision=0.5):
        for place, item in enumerate(sets):
            path = tmp_path / item.features
            if path.exists():
                continue
            values = shared * (1 + 0.05 * place) + 0.02 * draws.standard_normal((60, 4))
            save_npz(path, {"pool": values})
            write_provenance(path, spec={})
            model, _, scale = item.model.partition("@")
            row = Row(
                "smoke", model, item.sampler, item.steps, float(scale) if scale else None, 0, item.sample_seed, 60
            )
            identity = protocols[place] if protocols else PROTOCOL
            own = [record(row, "fid", identity, Fid()({"pool": values}, reference))]
            own.append(record(row, "precision", identity, Estimate(precision + place / 100, 0.4, 0.6)))
            own.append(record(row, "nfe", identity, Estimate.exact(4)))
            write_records(tmp_path / item.scores, own)
            inputs = checked({"features": path, "reference": tmp_path / "real.npz"})
            write_provenance(tmp_path / item.scores, spec={}, inputs=inputs)
        files = list(dict.fromkeys(item.scores for item in sets))
        main(["--spec", json.dumps(job_of(sets).as_json()), "--scores", *files, "--out", "differences.csv"])
        with open("differences.csv", newline="") as file:
            return list(csv.DictReader(file))

    return written


def test_frechet_distances_are_paired_and_others_have_the_scores_own_intervals(made, tmp_path):
    rows = made(
        [compared_set("ddpm", "ancestral", 4), compared_set("ddpm", "ddim", 4), compared_set("adm@4.0", "ddim", 4)]
    )
    assert [(row["compared"], row["metric"], row["interval"]) for row in rows] == [
        ("sampler", "fid", "paired image by image"),
        ("sampler", "precision", "the scores' own intervals"),
        ("model", "fid", "paired image by image"),
        ("model", "precision", "the scores' own intervals"),
    ]
    first, *_, last = rows
    assert float(first["difference"]) == pytest.approx(float(first["value"]) - float(first["baseline_value"]), abs=1e-4)
    joined = sum(float(first[f"{side}_high"]) - float(first[f"{side}_low"]) for side in ("value", "baseline_value"))
    assert float(first["difference_high"]) - float(first["difference_low"]) < joined / 2
    assert (last["model"], last["guidance_scale"], last["baseline_model"]) == ("adm", "4", "ddpm")
    assert last["outcome"] == "not resolved"
    recorded = read_provenance(tmp_path / "differences.csv")
    assert recorded["facts"]["given"]["scores"][0] == "ddpm_ancestral_4_0.json"
    before = (tmp_path / "differences.csv").read_bytes()
    (tmp_path / "differences.csv").unlink()
    made([compared_set("ddpm", "ancestral", 4), compared_set("ddpm", "ddim", 4), compared_set("adm@4.0", "ddim", 4)])
    assert (tmp_path / "differences.csv").read_bytes() == before


def test_a_set_under_two_protocols_of_one_id_is_compared_once_and_another_id_not_at_all(made):
    own, other = compared_set("ddpm", "ancestral", 4), compared_set("ddpm", "ddim", 4)
    rows = made([own, replace(own, protocol="labelled"), other, replace(other, protocol="labelled")])
    assert [row["metric"] for row in rows] == ["fid", "precision"]


def test_only_scores_of_one_protocol_are_compared(made):
    ids = (PROTOCOL, PROTOCOL.replace("precision.k=3", "precision.k=5"))
    rows = made([compared_set("ddpm", "ancestral", 4), compared_set("ddpm", "ddim", 4)], ids)
    assert [row["metric"] for row in rows] == ["fid"]


def test_a_score_that_is_no_number_leaves_a_row_without_a_verdict(made):
    rows = made([compared_set("ddpm", "ancestral", 4), compared_set("ddpm", "ddim", 4)], precision=float("nan"))
    assert [(row["metric"], row["outcome"], row["difference"]) for row in rows][1:] == [("precision", "no score", "")]
    assert rows[0]["outcome"] != "no score"


def test_verify_makes_the_table_again_with_the_same_bytes(made, tmp_path):
    made([compared_set("ddpm", "ancestral", 4), compared_set("ddpm", "ddim", 4)])
    path = tmp_path / "differences.csv"
    again = remade(tmp_path, {path: read_provenance(path)})
    assert (again.bad, again.notes) == ([], ["note: differences.csv: made again, the same bytes"])


def test_other_files_than_the_specs_are_refused(made, tmp_path):
    sets = [compared_set("ddpm", "ancestral", 4), compared_set("ddpm", "ddim", 4)]
    made(sets)
    with pytest.raises(UserError, match="--scores: 1 files, but the spec names 2 others"):
        main(["--spec", json.dumps(job_of(sets).as_json()), "--scores", sets[0].scores, "--out", "d.csv"])
    assert not (tmp_path / "d.csv").exists()
