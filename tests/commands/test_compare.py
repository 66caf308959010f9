"""`diffbench compare`: two rows are found, refused if they cannot be compared, and described."""

import csv
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from diffbench.base.errors import UserError
from diffbench.base.provenance import write_provenance
from diffbench.base.records import Estimate, Row, record, write_records
from diffbench.cli import app
from diffbench.commands.compare.run import compare
from diffbench.comparison.judged import compared
from diffbench.comparison.sources import records_of
from diffbench.jobs.tabulate import TableJob, TablePart
from diffbench.stages.tabulate import tabulate

DIFFBENCH = Path(sys.executable).with_name("diffbench")
TABLE2 = TableJob(benchmark="seeds", table=TablePart("table2"))
PROTOCOL = "extractor=digits_features@7a8108d6;resize=none;rounding=truncate;n=500;reference=train:1297;version=1"
FIDS = {("ddpm", 25): (7.2, 7.1, 7.4), ("iddpm", 25): (4.0, 4.0, 4.1), ("iddpm", 10): (5.6, 5.1, 5.8)}


def row(model, sampler="ancestral", steps=25, seed=0, **more):
    return replace(Row("seeds", model, sampler, steps, None, seed, 0, 500), **more)


def of_a_model(model, seed):
    return row(model, sampler=None, steps=None, seed=seed, sample_seed=None, num_images=300)


def scored(path, records):
    """Write scores with the record beside them, which is no file of scores."""
    write_records(path, records)
    write_provenance(path, spec={})


@pytest.fixture
def results(tmp_path):
    for (model, steps), values in FIDS.items():
        for seed, value in enumerate(values):
            where = row(model, steps=steps, seed=seed)
            records = [
                record(where, "fid", PROTOCOL, Estimate(value, value - 0.5, value + 0.5)),
                record(where, "recall", PROTOCOL, Estimate(0.8, 0.75, 0.84)),
            ]
            path = tmp_path / f"results/scores/digits/{model}/train{seed}/ancestral/sample0/{steps}.json"
            scored(path, records)
    for model, bits in (("ddpm", 2.91), ("iddpm", 3.08)):
        for seed in range(3):
            item = record(of_a_model(model, seed), "nll_bits_per_dim", "bound;n=300", Estimate.normal(bits, 0.014))
            scored(tmp_path / f"results/scores/bound/{model}/train{seed}.json", [item])
    real = row("real", sampler=None, steps=None, seed=None, sample_seed=None)
    scored(tmp_path / "results/scores/digits/real.json", [record(real, "fid", PROTOCOL, Estimate(3.5, 3.0, 4.0))])
    return tmp_path / "results"


def test_three_seeds_are_told_with_interval_and_what_it_covers(results):
    text = compare(results, "iddpm/ancestral/25", "ddpm/ancestral/25", metrics=["fid"])
    head, *lines = text.splitlines()
    assert head == "fid (lower is better): iddpm/ancestral/25 is better than ddpm/ancestral/25"
    # Differences -3.2, -3.1, -3.3: mean -3.2, margin 4.303 x 0.1 / sqrt(3).
    assert lines[2] == "  difference          -3.200  (-3.448 to -2.952)"
    assert lines[3] == "  95 %, Student's over 3 training seeds; covers training and sampling"


def test_one_seed_chosen_is_for_these_weights(results):
    verdict = compared(records_of(results), "iddpm/ancestral/25/train_seed=0", "iddpm/ancestral/10/train_seed=0", "fid")
    assert verdict.outcome == "better" and verdict.difference.covers == "sampling, for these weights"
    assert verdict.difference.high == pytest.approx(-1.6 + 0.5 * 2**0.5)


def test_real_and_a_models_own_numbers_need_the_model_alone(results):
    assert compared(records_of(results), "ddpm/ancestral/25", "real", "fid").outcome == "worse"
    for selector in ("iddpm", "iddpm/ancestral/25"):
        assert compared(records_of(results), selector, "ddpm", "nll_bits_per_dim").outcome == "worse"
    equal = compared(records_of(results), "iddpm/ancestral/25", "ddpm/ancestral/25", "recall")
    assert equal.outcome == "not resolved" and equal.difference.value == 0


def test_the_table_alone_gives_the_same_verdict(results, tmp_path):
    paths = sorted(p for p in (results / "scores").rglob("*.json") if not p.name.endswith(".json.json"))
    tabulate(TABLE2, scores=paths, out_table=tmp_path / "table2.csv")
    rows = "iddpm/ancestral/25", "ddpm/ancestral/25"
    for metrics in (["fid", "recall"], ["nll_bits_per_dim"]):
        assert compare(tmp_path / "table2.csv", *rows, metrics=metrics) == compare(results, *rows, metrics=metrics)


@pytest.mark.parametrize(("a", "b", "metric", "said"), [
    ("idpm/ancestral/25", "real", "fid", "no fid of 'idpm/ancestral/25'; did you mean 'iddpm/ancestral/25'"),
    ("iddpm/ancestral/26", "real", "fid", "did you mean 'iddpm/ancestral/25'"),
    ("iddpm/ancestral/25/train_seed=9", "real", "fid", "there is iddpm/ancestral/25, but not with these keys"),
    ("iddpm/ancestral/25/trainseed=9", "real", "fid", "no key 'trainseed'; did you mean 'train_seed'"),
    ("iddpm", "real", "fid", "'iddpm' is more than one row; add steps=10 or steps=25"),
    ("a/b/c/d", "real", "fid", "'a/b/c/d' is not a row; write model/sampler/steps"),
    ("", "real", "fid", "'' is not a row"),
    ("iddpm/ancestral/25", "real", "fdi", "no metric 'fdi'; did you mean 'fid'"),
    ("iddpm/ancestral/25", "real", "kid", "no scores of 'kid'; did you mean 'fid'"),
])  # fmt: skip
def test_a_row_that_is_not_there_is_one_line(results, a, b, metric, said):
    with pytest.raises(UserError) as caught:
        compare(results, a, b, metrics=[metric])
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_protocols_are_compared_field_by_field(results):
    records = records_of(results)
    for item in records:
        if item["model"] == "iddpm" and item["metric"] == "fid":
            item["protocol"] = PROTOCOL.replace("n=500", "n=1000")
    rows = "iddpm/ancestral/25", "ddpm/ancestral/25", "fid"
    with pytest.raises(UserError, match=r"^not comparable: n \(1000 against 500\); .* --varies n$"):
        compared(records, *rows)
    assert compared(records, *rows, varies=["n"]).outcome == "better"
    with pytest.raises(UserError, match="no field 'm'"):
        compared(records, *rows, varies=["m"])
    for item in records:
        if item["model"] == "iddpm":
            item["benchmark"], item["protocol"] = "other", PROTOCOL + ";splits=1"
    with pytest.raises(UserError, match=r"not comparable: benchmark \(other against seeds\)"):
        compared(records, *rows)
    with pytest.raises(UserError, match=r"not comparable: splits \(1 against absent\)"):
        compared(records, *rows, varies=["benchmark"])


def test_a_row_under_two_protocols_must_be_told_apart(results):
    records = records_of(results)
    other = PROTOCOL.replace("train:1297", "test:500")
    records += [{**item, "protocol": other} for item in records if item["metric"] == "fid"]
    with pytest.raises(UserError, match="more than one row; add protocol="):
        compared(records, "iddpm/ancestral/25", "ddpm/ancestral/25", "fid")
    chosen = [f"{model}/ancestral/25/protocol={PROTOCOL}" for model in ("iddpm", "ddpm")]
    assert compared(records, *chosen, "fid").outcome == "better"


def test_places_without_scores_are_refused(tmp_path):
    with pytest.raises(UserError, match="no scores below it"):
        records_of(tmp_path)
    with pytest.raises(UserError, match="no such file of scores"):
        records_of(tmp_path / "nowhere")
    with pytest.raises(UserError, match="cannot be read"):
        records_of(tmp_path / "nowhere.csv")
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="not a table of scores, it lacks benchmark"):
        records_of(tmp_path / "t.csv")
    (tmp_path / "b.csv").write_bytes(bytes(range(256)))
    with pytest.raises(UserError, match="not CSV in UTF-8"):
        records_of(tmp_path / "b.csv")
    (tmp_path / "s.json").write_text('{"records": [{"metric": "fid"}]}')
    with pytest.raises(UserError, match="a record lacks benchmark"):
        records_of(tmp_path / "s.json")


@pytest.mark.parametrize(
    ("column", "cell"),
    [("fid", "good"), ("fid_high", ""), ("fid_low", "nan"), ("nll_se", ""), ("nll_bits_per_dim", "2,9")],
)
def test_a_cell_that_is_no_number_is_one_line_that_names_it(results, tmp_path, column, cell):
    paths = sorted(p for p in (results / "scores").rglob("*.json") if not p.name.endswith(".json.json"))
    frame = tabulate(TABLE2, scores=paths, out_table=tmp_path / "table2.csv").astype(object)
    place = frame.index[(frame.model == "iddpm") & (frame.steps == 25)][0]
    frame.loc[place, column] = cell
    frame.to_csv(tmp_path / "edited.csv", index=False)
    with pytest.raises(UserError) as caught:
        compare(tmp_path / "edited.csv", "iddpm/ancestral/25", "ddpm/ancestral/25", metrics=["fid"])
    said = str(caught.value)
    assert f"edited.csv: iddpm/ancestral/25: {column} is " in said and "not a number" in said and "\n" not in said


@pytest.fixture
def table(results, tmp_path):
    paths = sorted(p for p in (results / "scores").rglob("*.json") if not p.name.endswith(".json.json"))
    tabulate(TABLE2, scores=paths, out_table=tmp_path / "table2.csv")
    (tmp_path / "table2.csv.json").unlink(missing_ok=True)
    return tmp_path / "table2.csv"


ROWS = ("iddpm/ancestral/25", "ddpm/ancestral/25")


def test_rows_that_are_too_short_do_no_harm_and_too_long_ones_are_refused(results, table):
    with open(table, "a") as file:
        file.write("seeds,other\n")
    assert compare(table, *ROWS, metrics=["fid"]) == compare(results, *ROWS, metrics=["fid"])
    with open(table, "a") as file:
        file.write("," * 80 + "9\n")
    # A decimal comma without quotes would shift all numbers behind it by a column.
    with pytest.raises(UserError, match="cells more than the head, so its numbers are in wrong columns"):
        compare(table, *ROWS, metrics=["fid"])


def as_spreadsheet(table, delimiter, *, point, encoding="utf-8-sig"):
    """The table as a spreadsheet saves it: a byte order mark, CRLF, and quotes around cells that hold the delimiter."""
    with open(table, newline="") as file:
        rows = list(csv.reader(file))
    rows = [[cell if "=" in cell else cell.replace(".", point) for cell in row] for row in rows]
    with open(table, "w", newline="", encoding=encoding) as file:
        csv.writer(file, delimiter=delimiter, lineterminator="\r\n").writerows(rows)


@pytest.mark.parametrize(("delimiter", "point"), [(",", "."), (";", ","), (";", "."), ("\t", ",")])
def test_a_table_that_went_through_a_spreadsheet_gives_the_same_verdict(results, table, delimiter, point):
    expected = compare(table, *ROWS, metrics=["fid", "recall"])
    as_spreadsheet(table, delimiter, point=point)
    assert (
        table.read_bytes().startswith(b"\xef\xbb\xbf") and compare(table, *ROWS, metrics=["fid", "recall"]) == expected
    )


def test_what_a_spreadsheet_broke_is_said(table):
    good = table.read_text()
    table.write_text(good.replace(",", ";"))  # the protocols hold semicolons too
    with pytest.raises(UserError, match=r"row 1 has \d+ cells more than the head"):
        records_of(table)
    table.write_text(good.replace("precision,", "fid,"))
    with pytest.raises(UserError, match="two columns are named fid"):
        records_of(table)
    table.write_text(good, encoding="utf-16")
    with pytest.raises(UserError, match="it is UTF-16"):
        records_of(table)
    table.write_text(good.replace("7.2,", "7200,"))  # 7.200, where a point groups thousands
    with pytest.raises(UserError, match="fid is 7200, outside of its own interval 6.7 to 7.7; the table was changed"):
        records_of(table)


def measured(path, label, fid, **more):
    """A file of scores as `diffbench measure` writes it."""
    where = Row("measure", label, num_images=500)
    records = [record(where, "fid", PROTOCOL, Estimate(fid, fid - 0.5, fid + 0.5))]
    write_records(path, [{**item, **more} for item in records])
    return str(path)


def test_two_files_of_scores_are_compared_by_their_paths(results, tmp_path):
    a, b = (measured(tmp_path / run / "samples.classifier.json", "samples", fid) for run, fid in (("A", 3), ("B", 5)))
    said = compare(None, a, b, metrics=["fid"])
    assert said.startswith(f"fid (lower is better): {a} is better than {b}")
    assert "two intervals joined" in said or "own intervals" in said
    # One of the two may be a row of a folder.
    said = compare(results, a, "ddpm/ancestral/25", metrics=["fid"], varies=["benchmark"])
    assert f"{a} is better than ddpm/ancestral/25" in said
    with pytest.raises(UserError, match="--results .* has no effect if both rows are files"):
        compare(results, a, b, metrics=["fid"])
    with pytest.raises(UserError, match="no scores of 'kid' in .*samples.classifier.json"):
        compare(None, a, b, metrics=["kid"])


def test_a_folder_of_measured_sets_is_compared_by_labels(tmp_path):
    for run, fid in (("A", 3), ("B", 5)):
        measured(tmp_path / f"run{run}/samples.classifier.json", "samples", fid)
    # What lies around is no file of scores: a cache, somebody's settings.
    measured(tmp_path / ".cache/features/1.npz.json", "samples", 9)
    (tmp_path / ".cache/features/2.npz.json").write_text("no JSON")
    (tmp_path / "package.json").write_text('{"name": "mine"}')
    with pytest.raises(UserError) as caught:
        compare(tmp_path, "samples", "samples", metrics=["fid"])
    said = str(caught.value)
    assert "runA/samples.classifier.json and" in said and "runB/samples.classifier.json" in said and "--name" in said
    measured(tmp_path / "runA/samples.classifier.json", "cfg=1.5@2.npz", 3)
    assert "cfg=1.5@2.npz is better than samples" in compare(tmp_path, "cfg=1.5@2.npz", "samples", metrics=["fid"])
    (tmp_path / "cut.json").write_text('{"records": [')
    with pytest.raises(UserError, match="cut.json: not a file of scores"):
        compare(tmp_path, "samples", "samples", metrics=["fid"])


@pytest.mark.parametrize(
    "more",
    [
        {"value": "3"}, {"value": None}, {"value": True}, {"low": [1]}, {"high": float("nan")}, {"low": 10**400},
        {"metric": 7}, {"covers": {}}, {"protocol": 5}, {"model": ["a"]}, {"steps": {"a": 1}},
    ],
)  # fmt: skip
def test_records_of_wrong_types_are_one_line(tmp_path, more):
    path = measured(tmp_path / "a.json", "samples", 3, **more)
    with pytest.raises(UserError) as caught:
        compare(None, path, path, metrics=["fid"])
    assert "a.json" in str(caught.value) and "\n" not in str(caught.value) and len(str(caught.value)) < 300


@pytest.mark.parametrize("name", ["scores/digits/ddpm/train0/ancestral/sample0/25.json", "table2.csv"])
def test_edited_scores_and_tables_are_refused(results, name):
    paths = sorted(p for p in (results / "scores").rglob("*.json") if not p.name.endswith(".json.json"))
    tabulate(TABLE2, scores=paths, out_table=results / "table2.csv")
    asked = results / "table2.csv" if name == "table2.csv" else results
    path = results / name
    path.write_text(path.read_text().replace("7.2", "7.3"))
    with pytest.raises(UserError, match=rf"{name}: is not what its record says .* snakemake --cores all -f results/"):
        compare(asked, "iddpm/ancestral/25", "ddpm/ancestral/25", metrics=["fid"])
    path.with_name(f"{path.name}.json").unlink()
    if path != asked:
        # Scores beside a table are the workflow's, which writes a record of each.
        with pytest.raises(UserError, match=rf"{name}.json: missing; run the stage that makes .*{name} again"):
            compare(asked, "iddpm/ancestral/25", "ddpm/ancestral/25", metrics=["fid"])
        (results / "table2.csv.json").unlink()
    # Without a record it is somebody's file, and its numbers are what it says: (7.3 + 7.1 + 7.4) / 3.
    assert "7.267" in compare(asked, "iddpm/ancestral/25", "ddpm/ancestral/25", metrics=["fid"])


# -- trees that hold scores of two configurations

PLACE = "scores/digits/iddpm/train1/ancestral/sample0/25.json"


def scores_below(results):
    return sorted(path for path in (results / "scores").rglob("*.json") if not path.name.endswith(".json.json"))


def tabulated(results, paths, name="table2.csv"):
    """Write a table of some scores, with the record that says so."""
    (results / name).parent.mkdir(parents=True, exist_ok=True)
    tabulate(TABLE2, scores=paths, out_table=results / name)


def rescore(path):
    """Make scores anew, with their record, as a job of another configuration does."""
    path.write_text(path.read_text().replace("4.0", "1.0"))
    write_provenance(path, spec={"eta": 0.5})


def asked(*arguments):
    command = [DIFFBENCH, "compare", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_a_tree_that_was_made_again_in_part_gives_no_verdict(results):
    tabulated(results, scores_below(results))
    expected = compare(results, *ROWS, metrics=["fid"])
    rescore(results / PLACE)  # the job before the one that was killed: the table is still that of the old scores
    done = asked(*ROWS, "--results", results)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 2 and done.stdout == "" and PLACE in line
    assert "no table of its tree was made from this file" in line and "the same snakemake command" in line
    # Rows that do not need it are compared as before, and the run to its end mends all.
    other = compare(results, "iddpm/ancestral/10", "ddpm/ancestral/25", metrics=["fid"])
    assert other.startswith("fid (lower is better): iddpm/ancestral/10 is better")
    tabulated(results, scores_below(results))
    assert compare(results, *ROWS, metrics=["fid"]) != expected


@pytest.mark.parametrize("named", ["results/scores", "results/scores/digits", "."])
def test_a_tree_is_known_by_whatever_folder_it_is_named(results, tmp_path, monkeypatch, named):
    monkeypatch.chdir(tmp_path)
    tabulated(results, scores_below(results))
    compare(Path(named), *ROWS, metrics=["fid"])
    rescore(results / PLACE)
    with pytest.raises(UserError, match=f"{PLACE}: no table of its tree"):
        compare(Path(named), *ROWS, metrics=["fid"])


def test_scores_of_an_entry_that_was_removed_are_not_compared(results):
    """The table was made again without the model; another question's table, older, still names its scores."""
    old = scores_below(results)
    tabulated(results, [path for path in old if "/iddpm/" in str(path)], "compared/a_vs_b_123456/table.csv")
    tabulated(results, [path for path in old if "/iddpm/" not in str(path)])
    assert "is not resolved" in compare(results, "ddpm/ancestral/25", "ddpm/ancestral/25", metrics=["fid"])
    with pytest.raises(UserError, match="with this row among the YAML's runs"):
        compare(results, *ROWS, metrics=["fid"])
    tabulated(results, old, "compared/c_vs_d_123456/table.csv")
    assert compare(results, *ROWS, metrics=["fid"])


def test_sets_of_a_comparison_are_vouched_for_by_its_table(results):
    apart = results / "compared/n500"
    apart.mkdir(parents=True)
    (results / "scores").rename(apart / "scores")
    tabulated(results, scores_below(apart), "compared/a_vs_b_123456/table.csv")
    assert compare(apart, *ROWS, metrics=["fid"])
    rescore(apart / PLACE)
    with pytest.raises(UserError, match="or compare samplers by diffbench compare-samplers"):
        compare(apart, *ROWS, metrics=["fid"])


def test_scores_alone_and_a_file_that_is_named_itself_need_no_table(results):
    expected = compare(results, *ROWS, metrics=["fid"])
    (results / f"{PLACE}.json").unlink()
    of_terms = results / "rate_distortion.csv"  # a table, and of no scores
    of_terms.write_text("made of terms")
    write_provenance(of_terms, spec={}, facts={"given": {"scores": [], "terms": ["a.npz"]}})
    assert compare(results, *ROWS, metrics=["fid"]) == expected
    tabulated(results, [path for path in scores_below(results) if path != results / PLACE])
    assert "is not resolved" in compare(None, str(results / PLACE), str(results / PLACE), metrics=["fid"])


def test_a_row_beside_itself_is_not_resolved(results, tmp_path):
    path = measured(tmp_path / "a.json", "samples", 3)
    for said in (compare(None, path, path, metrics=["fid"]), compare(results, "real", "real", metrics=["fid"])):
        assert "is not resolved" in said and "difference" in said


def test_the_command_prints_one_block_a_metric(results):
    from typer.testing import CliRunner

    done = CliRunner().invoke(
        app,
        [
            "compare",
            "iddpm/ancestral/25",
            "real",
            "--metric",
            "fid",
            "--metric",
            "nll_bits_per_dim",
            "--results",
            str(results),
        ],
    )
    assert isinstance(done.exception, UserError)  # real images have no bits/dim of a model
    done = CliRunner().invoke(app, ["compare", "iddpm/ancestral/25", "real", "--results", str(results)])
    assert done.exit_code == 0 and "95 %, no common seeds, the two intervals joined" in done.stdout


@pytest.mark.parametrize("option", ["--candidate", "--baseline=ddim"])
def test_samplers_are_told_the_command_that_compares_them(option):
    arguments = [option, "ddim", "--models", "ddpm", "--steps", "4"]
    done = subprocess.run([DIFFBENCH, "compare", *arguments], capture_output=True, text=True, timeout=120)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 2 and done.stdout == "" and "diffbench compare-samplers" in line


def test_one_id_from_two_entries_is_one_score(results):
    real = row("real", sampler=None, steps=None, seed=None, sample_seed=None)
    again = results / "scores/labelled/real.json"
    write_records(again, [record(real, "fid", PROTOCOL, Estimate(3.5, 3.0, 4.0))])
    assert "fid (lower is better)" in compare(results, "iddpm/ancestral/25", "real", metrics=["fid"])
    write_records(again, [record(real, "fid", PROTOCOL, Estimate(3.6, 3.0, 4.0))])
    with pytest.raises(UserError, match="two scores of fid for 'real'"):
        compare(results, "iddpm/ancestral/25", "real", metrics=["fid"])


def test_a_guidance_scale_may_be_written_without_its_point(results):
    for scale, value in ((1.0, 3.0), (2.0, 5.0)):
        item = record(row("adm_g", guidance_scale=scale), "fid", PROTOCOL, Estimate(value, value - 0.1, value + 0.1))
        write_records(results / f"scores/digits/adm_g@{scale}/25.json", [item])
    one, other = "adm_g/ancestral/25/guidance_scale=1", "adm_g/ancestral/25/guidance_scale=2.0"
    assert f"{one} is better than {other}" in compare(results, one, other, metrics=["fid"])
    text = compare(results, "adm_g@1/ancestral/25", "adm_g@2/ancestral/25", metrics=["fid"])
    assert text.startswith("fid (lower is better): adm_g@1/ancestral/25 is better than adm_g@2/ancestral/25")
    with pytest.raises(UserError, match="there is adm_g/ancestral/25, but not with these keys"):
        compare(results, "adm_g@3/ancestral/25", "adm_g@2/ancestral/25", metrics=["fid"])


def test_a_metric_may_be_written_as_papers_do_and_several_with_commas(results):
    done = asked("iddpm/ancestral/25", "ddpm/ancestral/25", "--metric", "FID", "--results", results)
    assert done.returncode == 0 and done.stdout.startswith("fid (lower is better): iddpm/ancestral/25 is ")
    done = asked("iddpm/ancestral/25", "ddpm/ancestral/25", "--metric", "Fid,fid", "--results", results)
    assert done.returncode == 0 and done.stdout.count("is better)") == 1
    done = asked("iddpm/ancestral/25", "ddpm/ancestral/25", "--metric", "IS", "--results", results)
    assert done.returncode == 2 and "no metric 'IS'; did you mean 'inception_score'?" in done.stderr


OWN_METRIC = """
from dataclasses import dataclass
from typing import ClassVar

from diffbench import mean_estimate


@dataclass(frozen=True)
class Spread:
    label: ClassVar[str] = "Spread"
    higher_is_better: ClassVar[bool] = True
    consumes: ClassVar[str] = "features"

    def __call__(self, generated, reference):
        return mean_estimate(generated["pool"].mean(axis=1))
"""


def test_two_rows_are_compared_by_a_metric_of_your_own_and_its_direction(tmp_path):
    (tmp_path / "own_spread.py").write_text(OWN_METRIC)
    for model, value in (("ddpm", 1.0), ("iddpm", 2.0)):
        estimate = Estimate(value, value - 0.1, value + 0.1)
        path = tmp_path / f"results/scores/digits/{model}/train0/ancestral/sample0/25.json"
        scored(path, [record(row(model), "own_spread.Spread", PROTOCOL, estimate)])
    rows = ["iddpm/ancestral/25", "ddpm/ancestral/25"]
    command = [DIFFBENCH, "compare", *rows, "--metric"]
    run = subprocess.run([*command, "own_spread.Spread"], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[0] == (
        "own_spread.Spread (higher is better): iddpm/ancestral/25 is better than ddpm/ancestral/25"
    )
    wrong = subprocess.run([*command, "own_spread.Nope"], cwd=tmp_path, capture_output=True, text=True)
    assert wrong.returncode == 2 and "own_spread has no dataclass 'Nope'" in wrong.stderr
