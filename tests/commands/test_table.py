"""`diffbench table`: the installed command, as people and papers use it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from diffbench.base.errors import UserError
from diffbench.base.provenance import write_provenance
from diffbench.base.records import Estimate, Row, record
from diffbench.commands.table.run import Asked, table
from diffbench.stages._wide import csv_text
from diffbench.tables.table2 import Table2
from diffbench.tables.table4 import Table4

DIFFBENCH = Path(sys.executable).with_name("diffbench")
P = "protocol=classifier@2;extractor=own@7a;rounding=truncate;n=500;reference=train:1297@5d"


def scored(model, steps, fid, scale=None):
    row = Row("digits", model, "ddim", steps, scale, 0, 0, 500)
    return [record(row, name, P, Estimate(fid, fid - 0.5, fid + 0.5)) for name in ("fid", "kid")]


RECORDS = [
    *scored("ddpm", 10, 8.0),
    *scored("ddpm", 25, 5.0),
    *scored("adm_g", 25, 4.0, 1.0),
    *scored("adm_g", 25, 6.0, 4.0),
]


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Return the working directory, which has results of two tables."""
    (tmp_path / "results").mkdir()
    for name, kind in (("table2", Table2()), ("table4", Table4())):
        path = tmp_path / f"results/{name}.csv"
        path.write_text(csv_text(kind(RECORDS)))
        write_provenance(path, spec={})
    monkeypatch.chdir(tmp_path)
    return tmp_path


def installed(*arguments, cwd):
    return subprocess.run([DIFFBENCH, "table", *map(str, arguments)], cwd=cwd, capture_output=True, text=True)


ROOT = Path(__file__).parents[2]


def lines(text):
    return [line for line in text.splitlines() if line.startswith("| ")]


def test_the_installed_command_prints_markdown_and_writes_what_a_file_s_ending_says(home):
    done = installed(cwd=home)
    assert (done.returncode, done.stderr) == (0, "")
    head, rule, *rows = lines(done.stdout)
    assert head == "| model | sampler | steps | scale | FID ↓ |" and rule.count("|") == 6
    assert rows[2] == "| adm_g | ddim | 25 | 1 | **4.00** <sub>3.50 to 4.50</sub> |" and len(rows) == 4
    written = installed("results", "--table", "table4", "--out", "paper/table4.tex", cwd=home)
    assert (written.returncode, written.stdout) == (0, "written to paper/table4.tex\n")
    assert r"adm\_g & ddim & 25 & 1 & \textbf{4.00}" in (home / "paper/table4.tex").read_text()
    wrong = installed("--columns", "model,fdi", cwd=home)
    assert (wrong.returncode, wrong.stdout) == (2, "") and "did you mean 'fid'" in wrong.stderr
    assert wrong.stderr.count("\n") == 1


def test_columns_and_rows_are_chosen_and_ranked_among_themselves(home):
    asked = Asked(columns=("model", "steps", "kid"), rows=("ddpm", "adm_g@4"))
    _, _, *rows = lines(table(asked))
    assert rows == [
        "| ddpm | 10 | 8.00 <sub>7.50 to 8.50</sub> |",
        "| ddpm | 25 | **5.00** <sub>4.50 to 5.50</sub> |",
        "| adm_g | 25 | <ins>6.00</ins> <sub>5.50 to 6.50</sub> |",
    ]
    assert len(lines(table(Asked(rows=("ddpm/ddim/25",))))) == 3


def test_csv_is_the_whole_table_and_of_columns_the_exact_values(home):
    assert table(Asked(format="csv")) == (home / "results/table2.csv").read_text()
    assert table(Asked(format="csv", columns=("model", "fid"), rows=("ddpm",))) == (
        "model,fid,fid_low,fid_high\nddpm,8,7.5,8.5\nddpm,5,4.5,5.5\n"
    )


@pytest.mark.parametrize("place", ["results", ".", "results/table2.csv", "copied", "copied/table2.csv"])
def test_results_may_be_named_by_folder_home_or_file(home, place):
    (home / "copied").mkdir()
    (home / "copied/table2.csv").write_text((home / "results/table2.csv").read_text())
    assert table(Asked(Path(place))) == table(Asked())


def test_a_format_is_named_by_name_or_ending(home):
    for one, other in (("markdown", "md"), ("latex", "tex"), ("html", "htm"), ("CSV", "csv")):
        assert table(Asked(format=one)) == table(Asked(format=other))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            Asked(table="table5"),
            "results/table5.csv: no such table, which only a benchmark with an upsampler has; make them by: snakemake --cores all results/table5.csv",
        ),
        (Asked(Path("runs/none")), "runs/none/results/table2.csv: no such table; make them by: snakemake"),
        (Asked(table="tabel2"), "--table tabel2: no such table; did you mean 'table2'"),
        (Asked(format="latecks"), "--format latecks: no such format of tables; did you mean 'latex'"),
        (Asked(out=Path("t.docx")), "--out t.docx: no such format of tables"),
        (Asked(format="html", out=Path("t.tex")), "the ending of t.tex says another format"),
        (Asked(Path("results/table2.csv"), table="table4"), "--table table4: has no effect"),
        (Asked(rows=("dppm",)), "--rows dppm: names no row; did you mean 'ddpm'"),
        (Asked(rows=("ddpm/ddim/10/0",)), "write model/sampler/steps"),
        (Asked(out=Path("notes.md")), "--out notes.md: exists, and nothing in it says that this command wrote it"),
        (Asked(out=Path("own.csv")), "--out own.csv: exists"),
        (Asked(out=Path("results/table2.csv")), "is a result of the workflow"),
    ],
)
def test_a_mistake_is_one_line_with_the_way_out_and_nothing_is_lost(home, asked, said):
    (home / "notes.md").write_text("# Notes\n\n| model |\n| --- |\n")
    (home / "own.csv").write_text("model,fid\na,1\n")
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    with pytest.raises(UserError) as caught:
        table(asked)
    assert said in str(caught.value) and "\n" not in str(caught.value)
    assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} == before


def test_its_own_file_is_replaced_and_an_edited_table_is_refused(home):
    for name in ("t.md", "t.tex", "t.html"):
        table(Asked(rows=("ddpm",), out=Path(name)))
        table(Asked(out=Path(name)))
        assert Path(name).read_text() == table(Asked(format=name[2:]))
    path = home / "results/table2.csv"
    path.write_text(path.read_text().replace("8,7.5", "1,0.5"))
    with pytest.raises(UserError, match="table2.csv: .*sha256"):
        table(Asked())


@pytest.mark.parametrize("page", ["README.md", "docs/digits.md", "docs/tables.md"])
def test_the_tables_of_the_documents_are_what_the_named_commands_print(page, monkeypatch):
    monkeypatch.chdir(ROOT)
    text = Path(page).read_text()
    shown = re.findall(
        r"```(?:console)?\n\$ uv run diffbench table (docs/\S+)(?: --rows (\S+))?(?: --columns (\S+))?\n```\n\n(.*?\n\n\|.*?)\n\n",
        text,
        re.S,
    )
    assert shown
    for results, rows, columns, printed in shown:
        asked = Asked(
            Path(results), rows=tuple(filter(None, rows.split(","))), columns=tuple(filter(None, columns.split(",")))
        )
        assert printed in table(asked)
