"""A tree of results with each kind of artifact: one flipped bit anywhere is found, by the next stage and by verify."""

import dataclasses
import importlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from diffbench.base.digests import sha256
from diffbench.base.errors import UserError
from diffbench.base.inputs import checked
from diffbench.base.provenance_file import provenance_path, read_provenance, write_recorded
from diffbench.base.records import Row
from diffbench.benchmark import jobs
from diffbench.benchmark.load import parse_benchmark
from diffbench.benchmark.sample_set import SampleSet
from diffbench.benchmark.stage_of import stage_of
from diffbench.commands.compare_samplers.answers import write_answers
from diffbench.commands.verify.rerun import ARGUMENTS, by_stage, made_again, remade
from diffbench.commands.verify.run import verify
from diffbench.jobs.extract import ExtractJob
from diffbench.jobs.extractor import ExtractorPart
from diffbench.jobs.fit import FitJob
from diffbench.jobs.plot import FigurePart, PlotJob
from diffbench.jobs.score import ProtocolPart, ScoreJob
from diffbench.jobs.tabulate import ModelRow, TableJob, TablePart
from diffbench.jobs.trace import Generation, Interpolation
from diffbench.stages._command import run_stage

SMOKE = Path(__file__).parents[2] / "workflow/config/smoke.yaml"
DIFFBENCH = Path(sys.executable).with_name("diffbench")
SAMPLES = "adm_g/train0/ancestral/sample0/2.npz"


def small():
    """Return the smoke benchmark with the least of everything."""
    content = yaml.safe_load(SMOKE.read_text())
    for entry in (*content["models"].values(), *content["classifiers"].values()):
        if "training" in entry:
            entry["training"] |= {"steps": 2, "batch_size": 8}
    content["bound"] |= {"timesteps": 2, "num_images": 6}
    return parse_benchmark(content, "smoke")


def stage(name, job, *arguments):
    module = importlib.import_module(f"diffbench.stages.{name}")
    module.main(["--spec", json.dumps(job.as_json()), *map(str, arguments)])


def make(folder):
    """Run every stage once, as the workflow does, in a folder."""
    bench = small()
    (weights, log), noisy = (
        [f"results/{kind}/train0/{name}" for name in ("weights.safetensors", "log.csv")]
        for kind in ("models/adm", "classifiers/noisy")
    )
    train, test, samples = "results/data/train.npz", "results/data/test.npz", f"results/samples/{SAMPLES}"
    ruler, own, real = (
        f"results/{place}"
        for place in ("extractors/own.safetensors", f"features/own/{SAMPLES}", "features/own/real/train.npz")
    )
    terms, bound = "results/terms/adm/train0/test.npz", "results/scores/bound/adm/train0.json"
    scores = f"results/scores/own/{SAMPLES.replace('.npz', '.json')}"
    here = ("--device", "cpu")
    stage("prepare", jobs.prepare_job(bench), "--out-train", train, "--out-test", test)
    stage("shrink", jobs.shrink_job(4), "--data", test, "--out", "results/data/test_4.npz")
    measured = ("--held-out", test, "--validation", weights.replace("weights.safetensors", "validation.npz"))
    stage(
        "train", jobs.train_job(bench, "adm", 0), "--data", train, "--out", weights, "--log-csv", log, *measured, *here
    )
    noisy_job = jobs.train_classifier_job(bench, "noisy", 0)
    outs = ("--out", noisy[0], "--log-csv", noisy[1])
    stage("train", noisy_job, "--data", train, "--held-out", test, *outs, *here)
    extractor = ExtractorPart("classifier", {"width": 4, "steps": 5})
    stage("fit", FitJob(extractor=extractor, threads=1), "--data", train, "--held-out", test, "--out", ruler)
    sampled = jobs.sample_job(bench, SampleSet("adm_g", "ancestral", 2, 0, 0, 30, ()))
    stage("sample", sampled, "--weights", weights, "--classifier", noisy[0], "--out", samples, *here)
    stage("bound", jobs.bound_job(bench, "adm", "test"), "--weights", weights, "--data", test, "--out", terms, *here)
    trace = dataclasses.replace(
        jobs.trace_job(bench, "adm", 0),
        generation=Generation(steps=2, num_images=1, points=2),
        interpolation=Interpolation(steps=2, rows=1, columns=2),
    )
    stage("trace", trace, "--weights", weights, "--out", "results/traces/adm/train0.npz", *here)
    for images, out in ((samples, own), (test, real)):
        stage(
            "extract",
            ExtractJob(extractor=extractor, threads=1),
            "--images",
            images,
            "--out",
            out,
            "--weights",
            ruler,
            *here,
        )
    row = Row("smoke", "adm_g", "ancestral", 2, guidance_scale=1.0, train_seed=0, sample_seed=0)
    protocol = ProtocolPart("classifier", {"extractor": "own", "metrics": ["fid"]})
    asked = ScoreJob(protocol=protocol, rounding="truncate", row=row)
    stage(
        "score",
        asked,
        "--features",
        own,
        "--reference",
        real,
        "--samples-provenance",
        f"{samples}.json",
        "--out",
        scores,
    )
    stage("score", jobs.bound_score_job(bench, "adm", 0), "--terms", terms, "--out", bound)
    tables = ("results/table2.csv", "results/metrics.json")
    table2 = TableJob(benchmark="smoke", table=TablePart("table2"))
    stage("tabulate", table2, "--scores", scores, bound, "--out", *tables, "results/table2.md")
    models = TableJob(benchmark="smoke", table=TablePart("table1"), rows=(ModelRow("smoke", "adm_g", 0, "adm"),))
    records = ("--weights", "results/models/adm/train0/weights.safetensors.json", "--samples", f"{samples}.json")
    stage("tabulate", models, "--scores", scores, bound, *records, "--out", "results/table1.csv")
    rows = (ModelRow("smoke", "adm", 0),)
    curves = TableJob(benchmark="smoke", table=TablePart("rate_distortion"), rows=rows)
    stage("tabulate", curves, "--terms", terms, "--out", "results/rate_distortion.csv")
    shown = {"real": (str(test),), "images": (str(samples),)}
    figure = PlotJob(figure=FigurePart("samples"), labels=("adm_g",), sources=shown)
    stage("plot", figure, "--out", "results/figures/samples_adm_g.png")
    fids = PlotJob(figure=FigurePart("fid_vs_steps"), sources={"table": tables[:1]})
    stage("plot", fids, "--out", "results/figures/fid_vs_steps.png", "results/figures/fid_vs_steps.svg")
    shutil.rmtree(".cache")


KINDS = {
    "data": "data/train.npz",
    "held-out data": "data/test.npz",
    "smaller data": "data/test_4.npz",
    "extractor's weights": "extractors/own.safetensors",
    "weights": "models/adm/train0/weights.safetensors",
    "training log": "models/adm/train0/log.csv",
    "validation losses": "models/adm/train0/validation.npz",
    "classifier's weights": "classifiers/noisy/train0/weights.safetensors",
    "samples": f"samples/{SAMPLES}",
    "terms": "terms/adm/train0/test.npz",
    "traces": "traces/adm/train0.npz",
    "features": f"features/own/{SAMPLES}",
    "reference": "features/own/real/train.npz",
    "scores": f"scores/own/{SAMPLES.replace('.npz', '.json')}",
    "scores of a model": "scores/bound/adm/train0.json",
    "table": "table2.csv",
    "table of terms": "rate_distortion.csv",
    "table of models": "table1.csv",
    "table for people": "table2.md",
    "figure": "figures/samples_adm_g.png",
}
UNREAD = (
    *("smaller data", "training log", "validation losses", "traces", "table of terms", "table of models"),
    *("table for people", "figure"),
)
"""Kinds that no stage of this tree reads: for people, or for other models."""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder, before = tmp_path_factory.mktemp("tree"), Path.cwd()
    os.chdir(folder)
    try:
        make(folder)
    finally:
        os.chdir(before)
    return folder


def test_every_record_fits_its_schema(made, checked_records):
    counted = checked_records(made / "results")
    assert counted["metrics"] == 1 and min(counted["record"], counted["scores"]) > 1


@pytest.fixture
def tree(made, tmp_path, monkeypatch):
    """A copy of the tree, in whose folder the test runs."""
    shutil.copytree(made / "results", tmp_path / "results")
    monkeypatch.chdir(tmp_path)
    return Path("results")


def flip(path, place=0.6):
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 4
    path.write_bytes(content)


def diffbench(*arguments):
    return subprocess.run([DIFFBENCH, *map(str, arguments)], capture_output=True, text=True, timeout=120)


def test_a_whole_tree_is_good(tree):
    report = verify(tree)
    assert report.bad == [] and report.compared == 23
    assert str(report).splitlines()[-1] == "23 artifacts, 0 differ"
    made_of = {path.relative_to(tree).as_posix() for path in tree.rglob("*") if not provenance_path(path).exists()}
    assert {path for path in made_of if Path(path).suffix not in ("", ".json")} == set()
    assert all((tree / path).is_file() for path in KINDS.values())


@pytest.mark.parametrize("of_record", [False, True], ids=["artifact", "record"])
@pytest.mark.parametrize("kind", KINDS)
def test_one_flipped_bit_is_one_line(tree, capsys, kind, of_record):
    path = tree / KINDS[kind]
    readers = [
        (other, recorded)
        for other in (path.with_suffix("") for path in sorted(tree.rglob("*.*.json")))
        for recorded in (read_provenance(other),)
        if path.as_posix() in recorded["places"].values()
    ]
    assert bool(readers) == (kind not in UNREAD)
    flip(provenance_path(path) if of_record else path)
    report = verify(tree)
    assert len(report.bad) >= 1 and report.bad[0].startswith(f"{path}{'.json' * of_record}: ")
    assert all("\n" not in line for line in report.bad) and "snakemake --cores all -f results/" in report.bad[0]
    for reader, recorded in readers:
        name = stage_of(reader, recorded["spec"])
        module = importlib.import_module(f"diffbench.stages.{name}")
        spec = ["--spec", json.dumps(recorded["spec"])]
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            run_stage(module.main, [*spec, *ARGUMENTS[name](recorded, Path("scratch") / reader.name)])
        said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("diffbench: ")]
        assert caught.value.code == 2 and len(said) == 1 and str(path) in said[0], (reader, said)


def test_a_record_made_to_fit_damage_is_found_by_what_was_made_before(tree):
    """An artifact that was replaced together with its record, as a training that was repeated."""
    path = tree / f"samples/{SAMPLES}"
    shutil.copy(tree / "data/test.npz", path)
    write_recorded(
        provenance_path(path), read_provenance(path) | {"sha256": read_provenance(tree / "data/test.npz")["sha256"]}
    )
    bad = verify(tree).bad
    readers = (
        f"features/own/{SAMPLES}",
        f"scores/own/{SAMPLES.replace('.npz', '.json')}",
        "figures/samples_adm_g.png",
        "table1.csv",
    )
    assert {line.partition(": ")[0] for line in bad} == {f"results/{place}" for place in readers}
    assert any("was made from another version of its images, results/samples/" in line for line in bad)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("table2.csv", "is not what its scores give"),
        ("table2.md", "is not what its scores give"),
        ("metrics.json", "metrics.json beside it is not what"),
    ],
)
def test_a_table_that_its_scores_do_not_give(tree, name, said):
    """Its record was made to fit, as whoever edits a table with care would do."""
    table = tree / name
    table.write_text(table.read_text().replace("smoke", "smokE") if "table2" in name else "{}\n")
    if "table2" in name:
        recorded = read_provenance(table)
        write_recorded(provenance_path(table), recorded | {"sha256": sha256(table)})
    assert [line for line in verify(tree).bad if said in line]


def test_a_tree_in_part_is_good_and_says_what_is_absent(tree):
    for folder in ("samples", "models", "classifiers", "data"):
        for path in (tree / folder).rglob("*"):
            if path.is_file() and path.suffix != ".json":
                path.unlink()
    shutil.rmtree(tree / "features")
    (tree / "notes.txt").write_text("mine")
    report = verify(tree)
    assert report.bad == [] and report.compared == 12
    assert any("9 artifacts that records name are absent here: results/classifiers/" in note for note in report.notes)
    assert any("inputs that records name are absent here" in note for note in report.notes)
    assert any("1 files are no artifacts of a workflow: results/notes.txt" in note for note in report.notes)
    assert str(report).endswith("12 artifacts, 0 differ")


def test_an_artifact_without_a_record_is_said(tree):
    (tree / "table2.csv.json").unlink()
    (line,) = verify(tree).bad
    assert line.startswith(
        "results/table2.csv: has no record beside it; make it again: snakemake --cores all -f results/table2.csv"
    )


def test_a_tree_may_lie_anywhere_and_be_named_by_its_folder(tree, tmp_path):
    shutil.copytree(tree, tmp_path / "copied")
    assert verify(tmp_path / "copied").bad == verify(tmp_path).bad == []
    assert verify(tmp_path / "copied").notes == verify(tmp_path).notes == []


VERDICTS = "results/compared/ddim_vs_ancestral_123456/verdicts.csv"


@pytest.fixture
def verdicts(tree):
    """The file of a comparison's verdicts, as `diffbench compare` writes it, in the tree."""
    scores = f"results/scores/own/{SAMPLES.replace('.npz', '.json')}"
    return write_answers(Path(VERDICTS).parent, [], spec={"question": {}}, inputs=checked({scores: scores}))


def test_verdicts_that_were_edited_or_are_of_older_scores_are_said(tree, verdicts):
    assert verdicts == Path(VERDICTS) and verify(tree).bad == [] and verify(tree).compared == 24
    whole = verdicts.read_text()
    verdicts.write_text(whole + "fid,adm_g,2,ddim,ancestral,better\n")
    (line,) = verify(tree).bad
    assert line.startswith(f"{VERDICTS}: is not what its record says") and "ask `diffbench compare" in line
    verdicts.write_text(whole)
    scores = tree / KINDS["scores"]
    scores.write_text(scores.read_text() + "\n")
    write_recorded(provenance_path(scores), read_provenance(scores) | {"sha256": sha256(scores)})
    (line,) = [line for line in verify(tree).bad if line.startswith(VERDICTS)]
    assert "was made from another version of its results/scores/own/" in line and "snakemake" not in line
    flip(provenance_path(verdicts))
    (line,) = [line for line in verify(tree).bad if line.startswith(VERDICTS)]
    assert line.startswith(f"{VERDICTS}.json: ") and "ask `diffbench compare" in line and "snakemake" not in line
    provenance_path(verdicts).unlink()
    assert f"{VERDICTS}: has no record beside it" in "\n".join(verify(tree).bad)


def test_verdicts_are_not_made_again_by_a_stage(tree, verdicts):
    again = made_again(Path(), {verdicts: read_provenance(verdicts)}, 1, 0)
    assert again.bad == again.notes == []


def test_made_again_in_a_scratch_folder(tree):
    before = {path: path.stat().st_mtime_ns for path in tree.rglob("*")}
    report = verify(tree, rerun=1)
    assert report.bad == [] and report.notes == ["note: results/terms/adm/train0/test.npz: made again, the same bytes"]
    assert before == {path: path.stat().st_mtime_ns for path in tree.rglob("*")}
    with pytest.raises(UserError, match="--rerun needs a folder that is called results"):
        verify(tree.rename("other"), rerun=1)


def test_a_training_is_made_again_unless_it_cuts_pictures_that_no_record_names(tree):
    weights = tree / KINDS["weights"]
    recorded = read_provenance(weights)
    again = remade(Path(), {weights: recorded})
    assert again.bad == [] and again.notes == [f"note: {weights}: made again, the same bytes"]
    assert by_stage(Path(), {weights: recorded}, 0) == {"train": [weights]}
    cutting = {**recorded, "spec": recorded["spec"] | {"dataset": {"name": "folder"}}}
    assert by_stage(Path(), {weights: cutting}, 0) == {}


@pytest.mark.slow
def test_every_stage_makes_its_artifacts_again_and_a_forged_one_differs(tree):
    path = tree / "scores/bound/adm/train0.json"
    path.write_text(path.read_text().replace('"covers": "sampling"', '"covers": "training"'))
    write_recorded(provenance_path(path), read_provenance(path) | {"sha256": sha256(path)})
    report = verify(tree, rerun=23)
    differ = [line for line in report.bad if "made again, it differs (sha256 " in line]
    assert len(differ) == 1 and differ[0].startswith(f"{path}: ")
    assert len([note for note in report.notes if "made again, the same bytes" in note]) == 21


def test_exit_codes(tree, tmp_path):
    done = diffbench("verify")
    assert (done.returncode, done.stdout) == (0, "23 artifacts, 0 differ\n")
    flip(tree / f"samples/{SAMPLES}")
    done = diffbench("verify", tree)
    assert done.returncode == 1 and done.stdout.endswith("23 artifacts, 1 differ\n") and done.stdout.count("\n") == 2
    for place, said in (("nowhere", "no such folder of results"), (tmp_path / "empty", "no artifacts below it")):
        (tmp_path / "empty").mkdir(exist_ok=True)
        done = diffbench("verify", place)
        assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr


def test_no_tree_is_one_line(tmp_path):
    with pytest.raises(UserError, match="no such folder of results"):
        verify(tmp_path / "results")
