r"""LaTeX: a floating table with the rules of the package booktabs, which is all that it needs."""

import re
from dataclasses import dataclass
from typing import ClassVar

from diffbench.base.sheets import Cell, Sheet
from diffbench.formats._contract import MADE_BY

ARROWS = {"up": r" $\uparrow$", "down": r" $\downarrow$", None: ""}
MARKS = {"best": r"\textbf{%s}", "second": r"\underline{%s}", None: "%s"}

SIGNS = {
    "\\": r"\textbackslash{}",
    **{sign: f"\\{sign}" for sign in "{}&%$#_"},
    **{"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "|": r"\textbar{}"},
    **{"<": r"\textless{}", ">": r"\textgreater{}", '"': r"\textquotedbl{}"},
    # A row that starts with one of these would be taken for an argument of the line break before it.
    **{"[": "{[}", "]": "{]}", "*": "{*}"},
    **{"±": r"$\pm$", "∞": r"$\infty$", "×": r"$\times$", "−": "$-$", "–": "--"},
    **{"↑": r"$\uparrow$", "↓": r"$\downarrow$"},
}
"""What LaTeX would take for its own signs, or has no letter for."""

NUMBER = re.compile(r"(-?)([\d.]+|∞)(?:e\+?(-?\d+))?")


@dataclass(frozen=True)
class Latex:
    r"""A `table` to \input into a paper: best values are bold, second ones underlined, and intervals are small."""

    endings: ClassVar[tuple[str, ...]] = (".tex", ".latex")
    wide: ClassVar[bool] = False

    def __call__(self, sheet: Sheet) -> str:
        """Return the text. Its first line says what made it, and which package it needs."""
        heads = [escaped(column.title) + ARROWS[column.direction] for column in sheet.columns]
        lines = [
            f"% {MADE_BY}; it needs \\usepackage{{booktabs}}",
            r"\begin{table}",
            r"\centering",
            r"\footnotesize",
            r"\setlength{\tabcolsep}{4pt}",
        ]
        lines += [f"\\caption{{{escaped(' '.join([sheet.caption, *sheet.notes]).strip())}}}"]
        lines += [f"\\label{{tab:{re.sub('[^A-Za-z0-9]+', '-', sheet.name)}}}"]
        lines += [f"\\begin{{tabular}}{{{''.join('r' if column.numeric else 'l' for column in sheet.columns)}}}"]
        lines += [r"\toprule", _line(heads), r"\midrule"]
        numeric = [column.numeric for column in sheet.columns]
        lines += [_line(list(map(_cell, row, numeric))) for row in sheet.rows]
        lines += [r"\bottomrule", r"\end{tabular}", r"\end{table}"]
        return "\n".join(lines) + "\n"

    def wrote(self, text: str) -> bool:
        """Return whether a text begins with the comment that says what made it."""
        return text.startswith(f"% {MADE_BY}")


def escaped(text: str) -> str:
    """Return a text as LaTeX that shows it as it is, in one line."""
    return "".join(SIGNS.get(sign, sign) for sign in " ".join(text.split()))


def _cell(cell: Cell, numeric: bool) -> str:
    value = MARKS[cell.mark] % (_number(cell.text) if numeric else escaped(cell.text)) if cell.text else ""
    return f"{value} {{\\scriptsize {_interval(cell.interval)}}}" if cell.interval else value


def _number(text: str) -> str:
    """Return a number with a minus sign instead of a hyphen, and with its power of ten written out."""
    found = NUMBER.fullmatch(text)
    if found is None:
        return escaped(text)
    sign, digits, power = found.groups()
    if power is not None:
        return f"${sign}{digits}\\times 10^{{{power}}}$"
    return ("$-$" if sign else "") + escaped(digits)


def _interval(text: str) -> str:
    return " ".join(_number(word) for word in text.split())


def _line(cells: list[str]) -> str:
    return f"{' & '.join(cells)} \\\\"
