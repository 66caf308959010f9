"""Results as a notebook opens them: names, tables, scores, verdicts, provenance, and what is missing."""

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas
import pytest

import diffbench as package
from diffbench.base.errors import UserError
from diffbench.figures._style import save_png

ROOT = Path(__file__).parents[2]


def test_both_folders_name_the_results_and_any_working_directory_will_do(home, tmp_path):
    with contextlib.chdir(home):
        ways = [package.open(), package.open("results"), package.open(Path("results")), package.open(home)]
    with contextlib.chdir(tmp_path):
        assert len({way.path for way in ways}) == 1
        assert len(ways[0].table()) == 12 and ways[0].samples("iddpm/ddim/3").shape == (30, 8, 8, 1)


def test_what_is_there_is_said(results, home):
    assert results.benchmark == "smoke" and results.tables == ["table2"] and results.figures == ["fid_vs_steps"]
    assert results.models == "adm adm_g adm_low adm_u ddpm iddpm upsampled_real upsampler".split()
    assert results.samplers == ["analytic", "ancestral", "ddim", "edm"]
    assert repr(results).splitlines()[0] == f"results of smoke in {home}/results"
    for said in (repr(results), results._repr_html_()):
        assert all(name in said for name in (*results.models, "table2", "fid_vs_steps", "edm"))


def test_a_table_has_the_columns_of_its_file_and_whole_numbers_whole(results):
    table = results.table("table2")
    raw = pandas.read_csv(results.path / "table2.csv")
    assert list(table.columns) == list(raw.columns) and len(table) == len(raw)
    assert {str(table[name].dtype) for name in ("steps", "sample_seed", "num_images")} == {"Int64"}
    assert table["steps"].isna().sum() == 1 and table["model"].iloc[0] == "real"
    for name in ("fid", "fid_low", "precision", "guidance_scale"):
        assert table[name].dtype == float, "a score or a scale that happens to be whole is no count"
    assert np.allclose(table["fid"], raw["fid"])


def test_records_are_tidy(results):
    records = results.records()
    assert list(records.columns[-5:]) == ["metric", "value", "low", "high", "covers"]
    own = records.query("model == 'ddpm' and sampler == 'ancestral' and sample_seed == 0 and metric == 'fid'")
    assert len(own) == 1 and own["steps"].dtype == "Int64"
    row = results.table().query("model == 'ddpm' and sampler == 'ancestral' and sample_seed == 0").iloc[0]
    assert f"{own['value'].iloc[0]:.6g}" == f"{row['fid']:.6g}"


def test_a_verdict_is_that_of_the_command(results, home, diffbench):
    verdict = results.compare("iddpm/ddim/3", "iddpm/edm/3")
    done = diffbench("compare", "iddpm/ddim/3", "iddpm/edm/3", cwd=home)
    assert done.stdout.strip() == str(verdict) and verdict.outcome in ("better", "worse", "not resolved")
    assert verdict.metric == "fid" and verdict.difference.value == pytest.approx(verdict.a.value - verdict.b.value)
    assert results.compare("iddpm/ddim/3", "iddpm/edm/3", metric="Inception-Score").metric == "inception_score"


def test_provenance_goes_from_a_score_to_the_data(results):
    found = results.provenance("adm_u/ancestral/3")
    names = list(found["artifact"])
    assert names[0] == "results/scores/digits/adm_u/train0/ancestral/sample0/3.json"
    for wanted in (
        "results/samples/adm_u/train0/ancestral/sample0/3.npz",
        "results/samples/adm_low/train0/ddim/sample0/2.npz",
        "results/models/upsampler/train0/weights.safetensors",
        "results/models/adm_low/train0/weights.safetensors",
        "results/data/train.npz",
    ):
        assert wanted in names
    assert len(names) == len(set(names)) and all(len(value) == 64 for value in found["sha256"])


def test_images_are_those_of_the_files(results):
    assert np.array_equal(results.real("test"), np.load(results.path / "data/test.npz")["arr_0"])
    assert results.real().shape == (1297, 8, 8, 1) and len(results.real_labels()) == 1297
    assert np.array_equal(
        results.samples("adm_g@4/ancestral/3"),
        np.load(results.path / "samples/adm_g@4/train0/ancestral/sample0/3.npz")["arr_0"],
    )


def test_a_figure_is_drawn_anew_from_the_records(results, tmp_path):
    figure = results.figure("fid_vs_steps")
    save_png(figure, tmp_path / "again.png")
    assert (tmp_path / "again.png").read_bytes() == (results.path / "figures/fid_vs_steps.png").read_bytes()


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda results: results.table("tabel2"), "no table 'tabel2'; did you mean 'table2'?"),
        (lambda results: results.figure("fid_vs_step"), "no figure 'fid_vs_step'; did you mean 'fid_vs_steps'?"),
        (lambda results: results.model("ddmp"), "no model 'ddmp'; did you mean 'ddpm'?"),
        (lambda results: results.samples("ddpm/ddim/3"), "no samples of 'ddpm/ddim/3'; did you mean"),
        (lambda results: results.real("valid"), "split: 'valid' is not allowed"),
        (lambda results: results.compare("ddpm/ancestral/4", "ddpm/analytic/3"), "no fid of 'ddpm/ancestral/4'"),
        (lambda results: results.compare("ddpm/ancestral/3", "ddpm/analytic/3", metric="fdi"), "no metric 'fdi'"),
        (lambda results: results.provenance("ddpm/ancestral/4"), "no fid of 'ddpm/ancestral/4'"),
    ],
)
def test_what_is_not_there_is_one_line_with_the_nearest(results, ask, said):
    with pytest.raises(UserError) as caught:
        ask(results)
    assert said in str(caught.value) and "\n" not in str(caught.value) and "--" not in str(caught.value)


def test_a_folder_without_results_names_the_command_that_makes_them(tmp_path):
    with contextlib.chdir(tmp_path):
        with pytest.raises(
            UserError, match=r"^results: no such folder; make them by: .*snakemake --cores all results/table2"
        ):
            package.open()
        Path("results").mkdir()
        Path("results/README.md").touch()
        with pytest.raises(UserError, match="^results: no results there; make them by: "):
            package.open("results")
        with pytest.raises(UserError, match="^runs/smoke: no such folder; make them by: .*smoke.yaml"):
            package.open("runs/smoke")


def test_damage_is_seen(copy):
    results = package.open(copy)
    (copy / "table2.csv").write_text((copy / "table2.csv").read_text().replace("ddpm", "best", 1))
    with pytest.raises(UserError, match=r"table2\.csv: is not what its record says"):
        results.table()
    (copy / "samples/iddpm/train0/ddim/sample0/3.npz").unlink()
    with pytest.raises(UserError, match=r"3\.npz: is not here; "):
        results.samples("iddpm/ddim/3")


def test_scores_alone_are_enough_for_tables_and_verdicts(copy):
    for name in ("samples", "models", "classifiers", "features", "data", "terms"):
        shutil.rmtree(copy / name)
    results = package.open(copy)
    assert len(results.table()) == 12 and results.models == []
    assert results.compare("iddpm/ddim/3", "iddpm/edm/3").outcome
    assert len(results.provenance("iddpm/ddim/3")) == 1


def test_the_package_keeps_pythons_open(tmp_path):
    names: dict = {}
    exec("from diffbench import *\nfound = open", names)
    assert names["found"] is open and callable(names["features"])
    assert package.open is not open and "open" in dir(package)


@pytest.fixture
def outside(home, tmp_path):
    """A function (program) that runs one in a folder that has nothing of the project, with the package as of a wheel."""
    shutil.copytree(ROOT / "diffbench", tmp_path / "site/diffbench", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "empty").mkdir()

    def run(program):
        done = subprocess.run(
            [sys.executable, "-P", "-c", f"import diffbench\nresults = diffbench.open({str(home)!r})\n{program}"],
            cwd=tmp_path / "empty",
            env={**os.environ, "PYTHONPATH": str(tmp_path / "site"), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert not list((tmp_path / "empty").iterdir())
        return done.stdout

    return run


def test_tables_need_neither_torch_nor_a_clone(outside):
    said = outside("""
import sys
print(results, len(results.table()), results.compare("iddpm/ddim/3", "iddpm/edm/3"))
assert "torch" not in sys.modules
try:
    diffbench.open("nowhere")
except ValueError as error:
    print(error)
""")
    assert "models: adm" in said
    assert "nowhere: no such folder; a run of the workflow makes them, in a clone of the project" in said


@pytest.mark.slow
def test_samples_need_no_clone(outside):
    outside("""
import numpy
found = results.model("adm_g").sample(3, sampler="ancestral", steps=3)
assert numpy.array_equal(found, results.samples("adm_g/ancestral/3")[:3])
""")
