"""Markdown, as GitHub shows it: a pipe table with the caption above it and the notes below."""

import re
from dataclasses import dataclass
from typing import ClassVar

from diffbench.base.sheets import Cell, Sheet
from diffbench.formats._contract import MADE_BY

ARROWS = {"up": " ↑", "down": " ↓", None: ""}
MARKS = {"best": "**{}**", "second": "<ins>{}</ins>", None: "{}"}
"""GitHub keeps the element `ins`, which browsers underline, and removes `u`."""

SPECIAL = re.compile(r"[\\`*\[\]~|]|(?<![^\W_])_|_(?![^\W_])")
"""What Markdown takes for its own signs. An underscore inside a word is no such sign."""


@dataclass(frozen=True)
class Markdown:
    """A pipe table with aligned columns: best values are bold, second ones underlined, and intervals are small."""

    endings: ClassVar[tuple[str, ...]] = (".md", ".markdown")
    wide: ClassVar[bool] = False

    def __call__(self, sheet: Sheet) -> str:
        """Return the text, which says in a comment what made it."""
        lines = [f"<!-- {MADE_BY} -->", ""]
        lines += [escaped(sheet.caption), ""] if sheet.caption else []
        lines.append(_line([escaped(column.title) + ARROWS[column.direction] for column in sheet.columns]))
        lines.append(_line(["---:" if column.numeric else "---" for column in sheet.columns]))
        lines += [_line([_cell(cell) for cell in row]) for row in sheet.rows]
        for note in sheet.notes:
            lines += ["", escaped(note)]
        return "\n".join(lines) + "\n"

    def wrote(self, text: str) -> bool:
        """Return whether a text begins with the comment that says what made it."""
        return text.startswith(f"<!-- {MADE_BY} -->")


def escaped(text: str) -> str:
    """Return a text as Markdown that shows it as it is, in one line."""
    one_line = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return SPECIAL.sub(lambda found: f"\\{found[0]}", one_line)


def _cell(cell: Cell) -> str:
    value = MARKS[cell.mark].format(escaped(cell.text)) if cell.text else ""
    return f"{value} <sub>{escaped(cell.interval)}</sub>" if cell.interval else value


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
