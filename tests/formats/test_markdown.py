"""Markdown, read by a parser of GitHub's tables."""

import pytest
from markdown_it import MarkdownIt

from diffbench.base.sheets import Cell, Column, Sheet
from diffbench.formats.markdown import Markdown


def parsed(text: str) -> list[list[str]]:
    """Return the cells of the table, each as the text and the marks that are read."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    assert sum(token.type == "table_open" for token in tokens) == 1
    rows: list[list[str]] = []
    for place, token in enumerate(tokens):
        if token.type == "tr_open":
            rows.append([])
        if token.type in ("th_open", "td_open"):
            rows[-1].append("".join(child.content for child in tokens[place + 1].children or []))
    return rows


def test_cells_by_hand():
    sheet = Sheet(
        "t",
        "A caption.",
        (Column("model", ("model",)), Column("FID", ("fid",), "down", True), Column("IS", ("is",), "up", True)),
        (
            (Cell("real"), Cell("3.0", "2.5 to 3.5"), Cell("9.9")),
            (Cell("adm_g"), Cell("3.5", "3.0 to 4.0", "best"), Cell("8.0", mark="second")),
        ),
        ("A note.",),
    )
    assert Markdown()(sheet) == (
        "<!-- made by diffbench table -->\n\nA caption.\n\n"
        "| model | FID ↓ | IS ↑ |\n| --- | ---: | ---: |\n"
        "| real | 3.0 <sub>2.5 to 3.5</sub> | 9.9 |\n"
        "| adm_g | **3.5** <sub>3.0 to 4.0</sub> | <ins>8.0</ins> |\n\nA note.\n"
    )


def test_every_row_has_every_column_and_names_are_read_as_they_are(sheet, awkward):
    head, *rows = parsed(Markdown()(sheet))
    assert [len(row) for row in (head, *rows)] == [2, 2, 2]
    assert rows[0][0] == awkward.replace("  ", " ") and rows[1] == ["ddpm", ""]


@pytest.mark.parametrize(
    "name", ["_x_", "__init__", "a_b", "*x*", "a|b", "two\nlines", "~~x~~", "<b>", "&amp;", "[a](b)"]
)
def test_a_name_is_never_markup(name):
    sheet = Sheet("t", "", (Column("model", ("model",)),), ((Cell(name),),))
    assert parsed(Markdown()(sheet))[1] == [" ".join(name.split())]
