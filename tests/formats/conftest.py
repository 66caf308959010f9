"""A sheet with awkward names, and a reader of the LaTeX that is written here."""

import re

import pytest

from diffbench.base.sheets import Cell, Column, Sheet

AWKWARD = r"a|b & c_d <e> 10% #1 \ ~ ^ {x} [y] *z* `q` $5"

SHEET = Sheet(
    name="table2",
    caption=f"Scores of {AWKWARD}.",
    columns=(Column("model", ("model",)), Column("FID", ("fid", "fid_low", "fid_high"), "down", True)),
    rows=(
        (Cell(AWKWARD, exact=(AWKWARD,)), Cell("3.5", "3.0 to 4.0", "best", ("3.5", "3", "4"))),
        (Cell("ddpm", exact=("ddpm",)), Cell("", exact=("", "", ""))),
    ),
    notes=("A note.",),
)

KNOWN = {
    *(
        "begin",
        "end",
        "centering",
        "footnotesize",
        "setlength",
        "tabcolsep",
        "caption",
        "label",
        "toprule",
        "midrule",
        "bottomrule",
    ),
    *("textbf", "underline", "scriptsize", "uparrow", "downarrow", "pm", "infty", "times", "%", "&", "$", "#", "_"),
    *("{", "}", "\\", "textbackslash", "textasciitilde", "textasciicircum", "textbar", "textless", "textgreater"),
    "textquotedbl",
}
PLAIN = {
    **{f"\\{sign}": sign for sign in "%&$#_"},
    **{r"\textbackslash{}": "\\", r"\textasciitilde{}": "~", r"\textasciicircum{}": "^", r"\textbar{}": "|"},
    **{r"\textless{}": "<", r"\textgreater{}": ">", "{[}": "[", "{]}": "]", "{*}": "*", r"$\infty$": "∞"},
}


def cells_of(text: str) -> list[list[str]]:
    """Return the rows of the only tabular in a text, its head first. Raises: AssertionError if LaTeX is broken."""
    body = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    for command in re.findall(r"\\([A-Za-z]+|.)", body):
        assert command in KNOWN, f"\\{command} needs more than booktabs"
    bare = re.sub(r"\\.", "", body)
    assert bare.count("{") == bare.count("}") and bare.count("$") % 2 == 0
    assert not re.search(r"[#~^%_]", re.sub(r"\$[^$]*\$", "", bare))
    begun, ended = (re.findall(rf"\\{word}{{(\w+)}}", body) for word in ("begin", "end"))
    assert begun == ended[::-1] == ["table", "tabular"]
    spec, table = re.search(r"\\begin{tabular}{([lr]+)}(.*)\\end{tabular}", body, re.S).groups()
    assert [rule in table for rule in (r"\toprule", r"\midrule", r"\bottomrule")] == [True] * 3
    rows = [re.sub(r"\\(top|mid|bottom)rule", "", row).strip() for row in re.split(r"\\\\(?:\n|$)", table)]
    found = [[cell.strip() for cell in re.split(r"(?<!\\)&", row)] for row in rows if row]
    assert all(len(row) == len(spec) for row in found), "each row has a cell for each column"
    assert not any(row.startswith(("[", "*")) for row in rows), "this would be an argument of the line break"
    return found


def plain(cell: str) -> str:
    """Return a cell as people read it, without its interval and its mark."""
    text = re.sub(r"\\(textbf|underline){(.*?)}(?=$| )", r"\2", cell.partition(r" {\scriptsize")[0])
    for written, read in PLAIN.items():
        text = text.replace(written, read)
    return text


@pytest.fixture
def awkward() -> str:
    """Return a name with every sign that some format takes for its own."""
    return AWKWARD


@pytest.fixture
def sheet() -> Sheet:
    """Return a sheet with an awkward name, a caption, a note, a marked value and an empty cell."""
    return SHEET


@pytest.fixture
def latex_cells():
    """Return the reader of tables in LaTeX."""
    return cells_of


@pytest.fixture
def latex_plain():
    """Return the reader of a cell in LaTeX."""
    return plain
