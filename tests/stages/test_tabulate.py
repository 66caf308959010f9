"""From score files to the table, its numbers in JSON, and the cost beside them."""

import json

import numpy as np
import pandas
import pytest

from diffbench.base.arrays import save_npz
from diffbench.base.digests import sha256, spec_digest
from diffbench.base.errors import UserError
from diffbench.base.provenance import write_provenance
from diffbench.base.provenance_file import read_provenance
from diffbench.base.records import Estimate, Row, record, write_records
from diffbench.commands.table.run import Asked, table
from diffbench.stages.tabulate import main

SPEC = json.dumps({"benchmark": "digits", "table": {"name": "table2"}})


def row(model="ddpm", sampler="ddim", steps=10, seed=0):
    return Row("digits", model, sampler, steps, train_seed=seed, sample_seed=seed, num_images=500)


def scored(path, records):
    """Write a score file with the record that the score stage writes beside it."""
    write_records(path, records)
    write_provenance(path, spec={})


@pytest.fixture
def scores(tmp_path):
    """Return score files of two sample sets, the real images and a bound."""
    contents = {
        "10": [
            record(row(), "fid", "p", Estimate(100 / 3, 30.0, 40.0)),
            record(row(), "nfe", None, Estimate.exact(10.0)),
        ],
        "25": [record(row(steps=25), "fid", "p", Estimate(20.0, 18.0, 22.0))],
        "real": [record(row("real", None, None, None), "fid", "p", Estimate(2.0, 1.0, 3.0))],
        "bound": [record(row(sampler=None, steps=None), "nll_bits_per_dim", "b", Estimate.normal(3.0, 0.02))],
    }
    for name, records in contents.items():
        scored(tmp_path / f"{name}.json", records)
    return [str(tmp_path / f"{name}.json") for name in contents]


def call(tmp_path, scores, *more):
    outs = [str(tmp_path / "table2.csv"), str(tmp_path / "metrics.json")]
    main(["--spec", SPEC, "--scores", *scores, "--out", *outs, *more])
    return tmp_path / "table2.csv", tmp_path / "metrics.json"


def test_table_and_numbers(tmp_path, scores):
    table, metrics = call(tmp_path, scores)
    lines = table.read_text().splitlines()
    assert lines[1].startswith("digits,real,,,,,,,,500,p,2,1,3,")
    assert lines[2].startswith("digits,ddpm,ddim,10,10,,,0,0,500,p,33.3333,30,40,")
    assert json.loads(metrics.read_text()) == {"ddpm": {"fid": 20.0, "row": "ddim/25", "bits_per_dim": 3.0}}
    assert read_provenance(table)["inputs"][scores[0]] == sha256(scores[0])


def test_same_bytes_again_whatever_the_runs_cost(tmp_path, scores):
    table, metrics = call(tmp_path, scores)
    before = [sha256(path) for path in (table, metrics, f"{table}.json")]
    (tmp_path / "logs").mkdir()
    call(tmp_path, scores, "--logs", str(tmp_path / "logs"), "--cost", str(tmp_path / "cost.csv"))
    assert [sha256(path) for path in (table, metrics, f"{table}.json")] == before


def test_cost(tmp_path, scores):
    logs = tmp_path / "logs/sample/ddpm"
    logs.mkdir(parents=True)
    run = {
        "stage": "sample",
        "seconds": 4.0,
        "num_images": 500,
        "peak_memory_mib": 300.5,
        "machine": "m",
        "else": [1],
    }
    (logs / "ddim.run.json").write_text(json.dumps(run))
    (logs / "ddim.log").write_text("not a record")
    call(tmp_path, scores, "--logs", str(tmp_path / "logs"), "--cost", str(tmp_path / "cost.csv"))
    (cost,) = pandas.read_csv(tmp_path / "cost.csv").to_dict("records")
    assert (cost["stage"], cost["run"], cost["images_per_second"]) == ("sample", "sample/ddpm/ddim", 125)
    assert (cost["seconds"], cost["peak_memory_mib"], cost["machine"], cost["num_images"]) == (
        4,
        300.5,
        "m",
        500,
    )


@pytest.fixture
def terms(tmp_path):
    """Return the path of terms with a curve of two points."""
    arrays = {"width": np.array([1, 4, 5]), "prior": np.zeros(3), "curve_timesteps": np.array([0, 5])}
    arrays |= {"curve_rate": np.array([[2.0, 1.0], [4.0, 1.0], [6.0, 1.0]]), "curve_x_0_mse": np.full((3, 2), 0.01)}
    arrays |= {"curve_psnr": np.full((3, 2), 20.0), "curve_ssim": np.full((3, 2), 0.5)}
    save_npz(tmp_path / "terms.npz", arrays)
    write_provenance(tmp_path / "terms.npz", spec={})
    return tmp_path / "terms.npz"


def test_a_table_of_terms(tmp_path, terms):
    out = tmp_path / "rate_distortion.csv"
    spec = {"benchmark": "digits", "table": {"name": "rate_distortion"}}
    spec["rows"] = [{"benchmark": "digits", "model": "ddpm", "train_seed": 0}]
    main(["--spec", json.dumps(spec), "--terms", str(terms), "--out", str(out)])
    lines = out.read_text().splitlines()
    assert lines[1].startswith("digits,ddpm,0,3,10,4,") and lines[2].startswith("digits,ddpm,0,3,5,1,1,1,12.75,")
    assert read_provenance(out)["inputs"] == {str(terms): sha256(terms)}
    with pytest.raises(UserError, match=r"spec\.rows: 1 rows for 2 files"):
        main(["--spec", json.dumps(spec), "--terms", str(terms), str(terms), "--out", str(out)])
    with pytest.raises(UserError, match="table table2: is made from --scores"):
        main(["--spec", SPEC, "--terms", str(terms), "--out", str(out)])


def test_a_table_of_terms_is_not_made_from_scores(tmp_path, scores):
    spec = json.dumps({"benchmark": "digits", "table": {"name": "rate_distortion"}})
    with pytest.raises(UserError, match="table rate_distortion: is made from --terms"):
        main(["--spec", spec, "--scores", *scores, "--out", str(tmp_path / "t.csv")])
    with pytest.raises(SystemExit):
        main(["--spec", spec, "--terms", "a.npz", "--out", str(tmp_path / "t.csv"), str(tmp_path / "m.json")])


def test_missing_damaged_and_empty_scores(tmp_path, scores):
    with pytest.raises(UserError, match="nowhere.json: no such file"):
        call(tmp_path, [*scores, str(tmp_path / "nowhere.json")])
    (tmp_path / "bad.json").write_text("{")
    write_provenance(tmp_path / "bad.json", spec={})
    with pytest.raises(UserError, match="bad.json: not a file of scores"):
        call(tmp_path, [str(tmp_path / "bad.json")])
    scored(tmp_path / "empty.json", [])
    with pytest.raises(UserError, match="no scores to put into the table"):
        call(tmp_path, [str(tmp_path / "empty.json")])
    assert not (tmp_path / "table2.csv").exists()


def test_forms_for_people_are_made_from_the_csv_and_have_records(tmp_path, scores):
    outs = [tmp_path / f"table2.{ending}" for ending in ("csv", "md", "html")]
    main(["--spec", SPEC, "--scores", *scores, "--out", *map(str, outs)])
    for path in outs:
        recorded = read_provenance(path)
        assert recorded["sha256"] == sha256(path) and recorded["spec"] == json.loads(SPEC)
    assert outs[1].read_text() == table(Asked(outs[0])) and outs[2].read_text() == table(Asked(outs[0], format="html"))
    alone = tmp_path / "alone.md"
    main(["--spec", SPEC, "--scores", *scores, "--out", str(alone)])
    assert alone.read_bytes() == outs[1].read_bytes()
    with pytest.raises(UserError, match=r"--out .*t\.docx: the ending is not a format of tables"):
        main(["--spec", SPEC, "--scores", *scores, "--out", str(tmp_path / "t.docx")])


@pytest.fixture
def model(tmp_path):
    """Return the records of weights and of samples."""
    made = {"weights.safetensors": ({"training": {"steps": 3, "batch_size": 4}}, {"parameters": 9})}
    made["10.npz"] = ({}, {"flops_per_evaluation": 100})
    for name, (spec, facts) in made.items():
        (tmp_path / name).write_text(name)
        write_provenance(tmp_path / name, spec=spec, facts=facts)
    return [str(tmp_path / f"{name}.json") for name in made]


def test_a_table_of_models_reads_records_of_weights_and_samples(tmp_path, scores, model):
    out, (weights, samples) = tmp_path / "table1.csv", model
    rows = [{"benchmark": "digits", "model": "ddpm", "train_seed": 0, "weights": "ddpm"}]
    spec = {"table": {"name": "table1"}, "rows": rows}

    def made(*records, **more):
        main(["--spec", json.dumps(spec | more), "--scores", *scores, *records, "--out", str(out)])
        return pandas.read_csv(out).to_dict("records")

    (found,) = made("--weights", weights, "--samples", samples)
    assert (found["parameters"], found["training_flops"], found["best_fid"]) == (9, 3 * 100 * 12, 20)
    assert read_provenance(out)["inputs"][weights] == sha256(weights)
    with pytest.raises(UserError, match=r"spec\.rows: 1 rows for 2 files of --weights"):
        made("--weights", weights, weights, "--samples", samples)
    with pytest.raises(UserError, match="table table1: is made from --scores, --weights, --samples"):
        made()
    digests = {"scores": [spec_digest({})] * 4, "weights": [spec_digest({})], "samples": [spec_digest({})]}
    with pytest.raises(UserError, match="weights.*: was made from other settings, code or data"):
        made("--weights", weights, "--samples", samples, upstream=digests)
    digests["weights"] = [spec_digest({"training": {"steps": 3, "batch_size": 4}})]
    assert made("--weights", weights, "--samples", samples, upstream=digests)
