"""`diffbench report`: what the page says of whole, partial and damaged trees of results."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas
import pytest

from diffbench import cli
from diffbench.base.errors import UserError
from diffbench.base.provenance import write_provenance
from diffbench.commands.report.cost import cost_tables
from diffbench.commands.report.figures import ROOM as ROOM_FOR_FIGURES
from diffbench.commands.report.grids import read_grids
from diffbench.commands.report.records import Tree
from diffbench.commands.report.run import contents_of, report
from diffbench.commands.report.tables import said_of


@pytest.fixture(scope="module")
def whole(whole_tree):
    return contents_of(whole_tree)


def table(contents, name):
    return next(one for one in contents.tables if one.name == name)


def cells(contents, name):
    """The rows of a table as {head: (text, interval)}."""
    found = table(contents, name)
    return [
        {column.key: (cell.text, cell.interval) for column, cell in zip(found.columns, row.cells, strict=True)}
        for row in found.rows
    ]


def without_record(place: Path):
    place.unlink()
    Path(f"{place}.json").unlink()


def test_the_page_is_written_by_the_command_and_opens_as_one_file(tree, diffbench, tmp_path):
    done = diffbench("report", cwd=tree.parent)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "written: results/report.html\n")
    page = (tree / "report.html").read_text()
    assert "Results of the benchmark digits" in page and len(page.encode()) < 1_500_000
    # A run that made the page before does not read it, and the same results are the same page.
    elsewhere = diffbench("report", tree, "--out", "deep/page.html", cwd=tmp_path)
    assert elsewhere.returncode == 0 and (tmp_path / "deep/page.html").read_text() == page
    assert diffbench("verify", cwd=tree.parent).stdout.count("report.html") == 0


def test_facts_say_what_was_run_and_on_what(whole):
    facts = {fact.name: fact.text for fact in whole.facts}
    assert facts["Benchmark"] == "digits"
    assert facts["Data"] == ("digits", "60 train and 50 test images", "8 by 8 pixels, grey, 17 levels", "10 classes")
    assert facts["Samplers"] == ("ancestral (eta 0)", "ddim (eta 0)") and facts["Steps"] == "10, 25, 50"
    assert facts["Seeds"] == ("training: 0", "sampling: 0") and facts["Images in a sample set"] == "40"
    assert facts["Machine"] == ("lab-1, 2 processors",) and facts["Date"] == "2026-01-01 to 2026-01-02"
    assert re.match(r"7[89] s of work in 43 jobs", facts["Cost"])
    assert "torch " in facts["Versions"]
    models = [row.cells[0].text for row in whole.models.rows]
    assert models == [row.cells[0].text for row in table(whole, "table1").rows] and whole.models.has_extra
    assert [name.split(",")[0] for name, _ in whole.protocols] == ["classifier@2"] and whole.gaps == ()


def test_table2_shows_numbers_with_intervals_and_whole_ones_whole(whole):
    rows = cells(whole, "table2")
    assert len(rows) == 8 and rows[0]["model"] == ("real", "")
    ten = next(
        row for row in rows if row["model"][0] == "ddpm" and row["sampler"][0] == "ddim" and row["steps"][0] == "10"
    )
    assert ten["fid"] == ("9.76", "9.17 to 10.34") and ten["nfe"] == ("10", "") and ten["kid"][0] == "0.0009"
    assert float(ten["flops_per_image"][0]) == 8.2e7 and rows[0]["steps"] == ("", "")
    columns = {column.key: column for column in table(whole, "table2").columns}
    narrow = [column.key for column in columns.values() if not column.extra]
    assert narrow == ["model", "sampler", "steps", "nfe", "fid", "inception_score", "precision", "recall"]
    assert columns["fid"].direction == "down" and columns["recall"].direction == "up"
    assert "fid_low" not in columns and "kid" in columns


def test_each_row_leads_back_to_the_data(whole):
    row = next(row for row in table(whole, "table2").rows if row.name == "ddpm, ddim, 25 steps")
    places = [whole.files[number].place for number in row.files]
    assert places == ["results/scores/digits/ddpm/train0/ddim/sample0/25.json", "results/table2.csv"]
    chain, pending = set(), [row.files[0]]
    while pending:
        file = whole.files[pending.pop()]
        chain.add(file.place)
        pending += [source for _, source in file.inputs if isinstance(source, int)]
    assert chain == {
        places[0], "results/features/digits_features/ddpm/train0/ddim/sample0/25.npz",
        "results/samples/ddpm/train0/ddim/sample0/25.npz", "results/models/ddpm/train0/weights.safetensors",
        "results/data/train.npz", "results/features/digits_features/real/train.npz",
    }  # fmt: skip
    scores = whole.files[row.files[0]]
    assert scores.stage == "score" and scores.numbers[0][:5] == ("fid", "3.9604", "3.37241", "4.54839", "sampling")
    assert scores.again == f"snakemake --cores all -f {places[0]}" and whole.verify == "diffbench verify results"
    real = table(whole, "table2").rows[0]
    assert whole.files[real.files[0]].place == "results/scores/digits/real.json"


def test_a_row_of_models_leads_to_its_weights_and_to_the_scores_of_its_best_set(whole):
    row = next(row for row in table(whole, "table1").rows if row.name == "iddpm")
    assert [whole.files[number].place for number in row.files] == [
        "results/scores/digits/iddpm/train0/ddim/sample0/50.json",
        "results/models/iddpm/train0/weights.safetensors",
        "results/table1.csv",
    ]


def test_a_row_of_differences_leads_to_the_scores_of_both_sets(tree):
    keys = "benchmark,metric,model,sampler,steps,baseline_model,baseline_sampler,num_images,difference,protocol"
    protocol = pandas.read_csv(tree / "table2.csv")["protocol"][0]
    lines = [
        keys,
        f"digits,fid,iddpm,ddim,50,ddpm,ddim,40,-1.5,{protocol}",
        f"digits,kid,ddpm,ddim,25,ddpm,ancestral,40,0,{protocol}",
    ]
    (tree / "differences.csv").write_text("\n".join(lines) + "\n")
    given = [
        f"results/{path.relative_to(tree)}"
        for path in sorted(tree.glob("scores/**/[0-9]*.json"))
        if path.suffixes == [".json"]
    ]
    write_provenance(
        tree / "differences.csv", spec={"benchmark": "digits", "code": "0"}, facts={"given": {"scores": given}}
    )
    contents = contents_of(tree)
    first, second = table(contents, "differences").rows
    assert first.name == "iddpm, ddim, 50 steps, compared by fid"
    places = [contents.files[number].place for number in second.files if "scores" in contents.files[number].place]
    assert places == [f"results/scores/digits/ddpm/train0/{name}/sample0/25.json" for name in ("ddim", "ancestral")]


def test_no_row_names_a_file_of_another_row(whole):
    for row in table(whole, "table2").rows[1:]:
        model, sampler, steps = row.name.split(", ")
        place = whole.files[row.files[0]].place
        assert len(row.files) == 2 and f"/{model}/train0/{sampler}/" in place and f"/{steps.split()[0]}.json" in place


def test_figures_have_a_caption_an_alt_text_and_the_sharper_form(whole):
    (figure,) = whole.figures
    assert figure.title == "FID against steps" and figure.caption == said_of("figures", "fid_vs_steps") != ""
    assert figure.caption in figure.alt and figure.image.kind == "image/svg+xml"
    assert figure.places == ("results/figures/fid_vs_steps.png", "results/figures/fid_vs_steps.svg")


def test_an_svg_loses_what_nobody_sees(tree):
    drawn = """<?xml version="1.0"?>
<!DOCTYPE svg PUBLIC "x" "y">
<svg xmlns="http://www.w3.org/2000/svg" width="9pt">
 <metadata><a>date</a></metadata>
 <path d="M 1.23456 2.5
L 3.999 4 z" style="font: 'Sans'" transform="translate(1.23456 2) scale(0.015625 -0.015625)"/>
</svg>"""
    (tree / "figures/drawn.svg").write_text(drawn)
    figure = next(figure for figure in contents_of(tree).figures if figure.name == "drawn")
    assert figure.image.data.decode().strip() == (
        '<svg xmlns="http://www.w3.org/2000/svg" width="9pt"><path d="M1.23 2.5L3.99 4z" style="font: \'Sans\'"'
        ' transform="translate(1.23 2) scale(0.015625 -0.015625)"/></svg>'
    )


def test_a_figure_without_svg_is_packed_without_a_change_of_a_pixel(tree):
    import io

    from PIL import Image

    without_record(tree / "figures/fid_vs_steps.svg")
    (figure,) = contents_of(tree).figures
    assert figure.image.kind in ("image/webp", "image/png")
    shown, file = Image.open(io.BytesIO(figure.image.data)), Image.open(tree / "figures/fid_vs_steps.png")
    assert shown.convert("RGB").tobytes() == file.convert("RGB").tobytes()


def test_figures_that_leave_no_room_are_named_with_their_size(tree):
    noise = np.random.default_rng(0).bytes(ROOM_FOR_FIGURES // 4).hex()  # It is packed to a half.
    for name in "abcd":
        (tree / f"figures/{name}.svg").write_text(f"<svg>{noise}</svg>")
    shown = {figure.name: figure for figure in contents_of(tree).figures}
    assert shown["fid_vs_steps"].image and shown["a"].image and shown["d"].image is None
    assert "too large" in shown["d"].missing and shown["d"].places == ("results/figures/d.svg",)


def test_sample_sets_show_their_first_images_and_real_ones_of_their_size(whole):
    grids = whole.grids
    assert len(grids.sets) == 7 and grids.missing == ""
    first = next(one for one in grids.sets if one.model == "adm")
    assert (first.count, first.of, first.size) == (32, 40, (8, 8)) and first.labels[:11] == (*range(10), 0)
    assert [one.place for one in grids.real] == ["results/data/test.npz"]
    assert "first 32 images" in grids.rule and "none was chosen by hand" in grids.rule


def test_large_images_leave_room_for_fewer_and_many_sets_for_some(lab, tmp_path):
    many = {f"m{n}": [("ddim", 10)] for n in range(8)}
    tree = Tree(lab(tmp_path / "large", many, size=32, channels=3))
    places = [tree.place(path) for path in sorted((tree.results / "samples").rglob("*.npz"))]
    grids = read_grids(tree, [*places, "results/data/test.npz"])
    assert (
        len(grids.sets) == 8
        and {one.count for one in grids.sets} == {8}
        and "leave room for 8 instead of 32" in grids.rule
    )
    huge = Tree(lab(tmp_path / "huge", {"a": [("ddim", 1), ("ddim", 2)], "b": [("ddim", 1)]}, size=128, channels=3))
    places = [huge.place(path) for path in sorted((huge.results / "samples").rglob("*.npz"))]
    grids = read_grids(huge, places)
    assert 0 < len(grids.sets) < 3 and f"{3 - len(grids.sets)} of 3 sets are left out" in grids.missing
    assert sum(len(one.image.data) for one in grids.sets) < 400_000


def test_a_missing_table_removed_samples_and_no_cost_are_named(tree):
    without_record(tree / "table2.csv")
    (tree / "cost.csv").unlink()
    contents = contents_of(tree)
    assert table(contents, "table1").rows and table(contents, "table2").missing.startswith(
        "results/table2.csv is not here"
    )
    assert "cost.csv is not here" in contents.cost[0].missing
    assert {fact.name: fact.text for fact in contents.facts}["Machine and cost"].startswith("not known")
    # Without tables and figures, everything that has a record is shown.
    shutil.rmtree(tree / "figures")
    without_record(tree / "table1.csv")
    rest = contents_of(tree)
    assert len(rest.grids.sets) == 7 and len(rest.models.rows) == 3 and rest.figures == ()
    shutil.rmtree(tree / "samples")
    assert "No sample sets" in contents_of(tree).grids.missing
    report(tree)


def test_samples_that_were_removed_after_the_table_are_a_gap(tree):
    for path in (tree / "samples/iddpm").rglob("*.npz"):
        path.unlink()
    contents = contents_of(tree)
    assert len(contents.grids.sets) == 5 and "2 sets are named in records, but were removed" in contents.grids.missing
    assert any("2 files have a record here, but are not here" in gap for gap in contents.gaps)
    shutil.rmtree(tree / "models")
    assert any("chain ends before them" in gap for gap in contents_of(tree).gaps)
    report(tree)


@pytest.mark.parametrize("seeds", [(0,), (0, 1, 2)])
def test_one_model_with_one_number_of_steps_is_a_page(lab, tmp_path, seeds):
    results = lab(tmp_path / "one", {"ddpm": [("ddim", 10)]}, seeds=seeds, nan="ddpm")
    contents = contents_of(results)
    rows = cells(contents, "table2")
    assert len(rows) == 1 + len(seeds) and rows[1]["fid"][0] == ""
    column = next(column for column in table(contents, "table2").columns if column.key == "train_seed")
    assert column.extra == (len(seeds) == 1), "seeds are shown if rows differ in them"
    assert len(contents.models.rows) == 1 and len(contents.models.rows[0].files) >= len(seeds)
    assert "<table" in report(results).read_text()


def test_damage_is_one_line_with_exit_code_2_and_the_old_page_stays(tree, diffbench):
    report(tree)
    page = (tree / "report.html").read_bytes()
    damage = {
        "table2.csv": lambda path: path.write_text(path.read_text().replace("3.96", "1.96")),
        "table2.csv.json": lambda path: path.write_text(path.read_text().replace("digits", "digit5")),
        "cost.csv": lambda path: path.write_text("a,b\n1,2\n"),
        "scores/digits/real.json": lambda path: path.write_text("{"),
        "samples/adm/train0/ancestral/sample0/25.npz": lambda path: path.write_bytes(b"PK" + bytes(40)),
        "figures/fid_vs_steps.png": lambda path: path.write_bytes(path.read_bytes()[:-9]),
    }
    for place, damaged in damage.items():
        kept = (tree / place).read_bytes()
        damaged(tree / place)
        done = diffbench("report", cwd=tree.parent)
        assert done.returncode == 2 and done.stdout == "", place
        assert len(done.stderr.splitlines()) == 1 and Path(place).name in done.stderr, done.stderr
        (tree / place).write_bytes(kept)
    assert (tree / "report.html").read_bytes() == page


def test_no_results_are_one_line_with_a_way_to_them(tmp_path, diffbench):
    done = diffbench("report", cwd=tmp_path)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and "no such folder" in done.stderr
    (tmp_path / "results").mkdir()
    empty = diffbench("report", cwd=tmp_path)
    assert empty.returncode == 2 and "no artifacts below it" in empty.stderr and len(empty.stderr.splitlines()) == 1


def test_without_itables_the_command_names_the_extra(tree, monkeypatch, capsys):
    monkeypatch.setattr("diffbench.page.itables_bundle.find_spec", lambda name: None)
    monkeypatch.setattr("sys.argv", ["diffbench", "report", str(tree)])
    with pytest.raises(SystemExit) as leaving:
        cli.main()
    assert leaving.value.code == 2 and "pip install 'diffbench[report]'" in capsys.readouterr().err
    assert not (tree / "report.html").exists()


def test_a_folder_as_the_file_to_write_is_refused(tree, tmp_path):
    with pytest.raises(UserError, match="is a folder"):
        report(tree, tmp_path)


def test_names_from_the_data_do_not_run(lab, tmp_path, monkeypatch):
    results = lab(tmp_path / "evil", {"<b>&'\"": [("ddim", 10)]})
    page = report(results).read_text()
    assert "<b>" not in page and "&lt;b&gt;" in page and r"\u003cb\u003e" in page


def test_costs_are_summed_by_stage_in_the_order_of_the_chain():
    frame = pandas.DataFrame(
        {
            "stage": ["sample", "train", "sample"],
            "run": ["a", "b", "c"],
            "seconds": [1.5, 10.0, 2.0],
            "peak_memory_mib": [5.0, 7.0, 6.0],
        }
    )
    stages, jobs = cost_tables(frame)
    texts = [[cell.text for cell in row.cells] for row in stages.rows]
    assert [(stage, *map(float, numbers)) for stage, *numbers in texts] == [("train", 1, 10, 7), ("sample", 2, 3.5, 6)]
    assert len(jobs.rows) == 3


def test_commands_of_another_benchmark_name_its_configuration(lab, tmp_path):
    (tmp_path / "mine.yaml").touch()
    results = lab(tmp_path / "runs/mine", {"ddpm": [("ddim", 10)]})
    for path in [*results.rglob("*.json"), results / "table2.csv"]:
        assert "digits" in path.read_text() or True
    note = tmp_path / "runs/mine/.snakemake/configuration"
    note.parent.mkdir()
    note.write_text("../../mine.yaml\n")
    contents = contents_of(results)
    assert contents.verify == "diffbench verify runs/mine/results"
    data = json.dumps([file.again for file in contents.files])
    assert not re.search(str(tmp_path), data), "the page names no absolute path"


def test_a_scale_with_more_digits_than_a_table_has_leads_to_its_scores(tree):
    """A third is 0.333333 in the table, and has all digits in the file of scores."""
    file = tree / "scores/digits/ddpm/train0/ddim/sample0/25.json"
    held = json.loads(file.read_text())
    for item in held["records"]:
        item["guidance_scale"] = 1 / 3
    file.write_text(json.dumps(held))
    text = (tree / "table2.csv").read_text().splitlines()
    place = text[0].split(",").index("guidance_scale")
    for number, line in enumerate(text):
        cells = line.split(",")
        if cells[1:4] == ["ddpm", "ddim", "25"]:
            text[number] = ",".join([*cells[:place], "0.333333", *cells[place + 1 :]])
    (tree / "table2.csv").write_text("\n".join(text) + "\n")
    for path in (file, tree / "table2.csv"):
        record = json.loads(Path(f"{path}.json").read_text())
        write_provenance(path, spec=record["spec"], facts=record["facts"])
    contents = contents_of(tree)
    (row,) = [row for row in table(contents, "table2").rows if row.name.startswith("ddpm, scale 0.333")]
    assert contents.files[row.files[0]].place == "results/scores/digits/ddpm/train0/ddim/sample0/25.json"
