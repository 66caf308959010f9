"""LaTeX, read by a parser of our own and, where it is installed, by pdflatex."""

import shutil
import subprocess

import pytest

from diffbench.base.sheets import Cell, Column, Sheet
from diffbench.formats.latex import Latex

NUMBERS = Sheet(
    "rate distortion",
    "Numbers.",
    (Column("model", ("model",)), Column("x", ("x",), "up", True), Column("p", ("p",))),
    (
        (Cell("adm_g"), Cell("-0.5", "-1.0 to 0.0", "second"), Cell("a")),
        (Cell("[a]"), Cell("1.14e9", "± 0.1"), Cell("b")),
        (Cell("*"), Cell("∞", mark="best"), Cell("1.5 x")),
    ),
)


def test_cells_by_hand(latex_cells):
    text = Latex()(NUMBERS)
    assert "\\label{tab:rate-distortion}\n\\begin{tabular}{lrl}\n" in text and "\\caption{Numbers.}" in text
    assert latex_cells(text) == [
        ["model", r"x $\uparrow$", "p"],
        [r"adm\_g", r"\underline{$-$0.5} {\scriptsize $-$1.0 to 0.0}", "a"],
        ["{[}a{]}", r"$1.14\times 10^{9}$ {\scriptsize $\pm$ 0.1}", "b"],
        ["{*}", r"\textbf{$\infty$}", "1.5 x"],
    ]


def test_names_are_read_as_they_are(sheet, awkward, latex_cells, latex_plain):
    _, first, second = latex_cells(Latex()(sheet))
    assert latex_plain(first[0]).replace(r"\{", "{").replace(r"\}", "}") == awkward
    assert second == ["ddpm", ""]
    assert Latex()(sheet).count("A note.") == 1


@pytest.mark.parametrize(
    "broken",
    [
        lambda text: text.replace(r"adm\_g", "adm_g"),
        lambda text: text.replace(" & a ", " a "),
        lambda text: text.replace("{[}", "["),
        lambda text: text.replace("\\underline{", "\\underline"),
        lambda text: text.replace("\\textbf", "\\cellcolor"),
    ],
)
def test_the_reader_refuses_what_latex_would(broken, latex_cells):
    text = Latex()(NUMBERS)
    assert broken(text) != text
    with pytest.raises(AssertionError):
        latex_cells(broken(text))


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_it_compiles_with_booktabs_alone(tmp_path, sheet):
    body = Latex()(NUMBERS) + Latex()(sheet)
    paper = "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\n" + body + "\\end{document}\n"
    (tmp_path / "paper.tex").write_text(paper)
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]
