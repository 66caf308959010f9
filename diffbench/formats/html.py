"""HTML: one table element with its caption, whose cells say to which heads they belong.

The text is ASCII, so that it is shown correctly wherever it is pasted, and it names no colours, so that it fits a light
and a dark page.
"""

from dataclasses import dataclass
from html import escape
from typing import ClassVar

from diffbench.base.sheets import Cell, Column, Sheet
from diffbench.formats._contract import MADE_BY

STYLE = """<style>
table.diffbench { border-collapse: collapse; font-variant-numeric: tabular-nums; }
table.diffbench caption { text-align: left; padding-bottom: 0.5em; max-width: 50em; }
table.diffbench th, table.diffbench td { padding: 0.2em 0.7em; text-align: left; white-space: nowrap; }
table.diffbench thead { border-top: 2px solid; border-bottom: 1px solid; }
table.diffbench tbody { border-bottom: 2px solid; }
table.diffbench tbody th { font-weight: normal; }
table.diffbench .number { text-align: right; }
table.diffbench abbr { text-decoration: none; }
</style>"""

ARROWS = {
    "up": ' <abbr title="higher is better">↑</abbr>',
    "down": ' <abbr title="lower is better">↓</abbr>',
    None: "",
}
MARKS = {"best": '<strong title="best">{}</strong>', "second": '<u title="second">{}</u>', None: "{}"}


@dataclass(frozen=True)
class Html:
    """A table with best values bold, second ones underlined, and small intervals.

    style: whether a few rules for its look come before the table. A page with rules of its own leaves them out.
    """

    style: bool = True

    endings: ClassVar[tuple[str, ...]] = (".html", ".htm")
    wide: ClassVar[bool] = False

    def __call__(self, sheet: Sheet) -> str:
        """Return the text. The first cell of a row is its head."""
        lines = [f"<!-- {MADE_BY} -->", *([STYLE] if self.style else []), '<table class="diffbench">']
        said = [sheet.caption, *sheet.notes]
        lines += [f"<caption>{'<br>'.join(escape(text) for text in said if text)}</caption>"] if any(said) else []
        heads = [f'<th scope="col"{_kind(column)}>{_title(column)}</th>' for column in sheet.columns]
        lines += ["<thead>", f"<tr>{''.join(heads)}</tr>", "</thead>", "<tbody>"]
        for row in sheet.rows:
            first, *rest = [_content(cell) for cell in row]
            cells = [f"<td{_kind(column)}>{text}</td>" for column, text in zip(sheet.columns[1:], rest, strict=True)]
            lines.append(f'<tr><th scope="row"{_kind(sheet.columns[0])}>{first}</th>{"".join(cells)}</tr>')
        lines += ["</tbody>", "</table>"]
        return "\n".join(lines).encode("ascii", "xmlcharrefreplace").decode() + "\n"

    def wrote(self, text: str) -> bool:
        """Return whether a text begins with the comment that says what made it."""
        return text.startswith(f"<!-- {MADE_BY} -->")


def _title(column: Column) -> str:
    return escape(column.title) + ARROWS[column.direction]


def _kind(column: Column) -> str:
    return ' class="number"' if column.numeric else ""


def _content(cell: Cell) -> str:
    value = MARKS[cell.mark].format(escape(cell.text)) if cell.text else ""
    return f"{value} <small>{escape(cell.interval)}</small>" if cell.interval else value
