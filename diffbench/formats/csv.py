"""CSV: the values of the wide table with all of their digits, for programs and spreadsheets."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from diffbench.base.sheets import Sheet


@dataclass(frozen=True)
class Csv:
    """A head of the wide table's names, then its values. Caption, marks and notes are left out."""

    endings: ClassVar[tuple[str, ...]] = (".csv",)
    wide: ClassVar[bool] = True

    def __call__(self, sheet: Sheet) -> str:
        """Return the text. A column that has an interval becomes several."""
        names = [name for column in sheet.columns for name in column.names]
        # An error may be asked for by its own name too, and a table has no name twice.
        kept = [place for place, name in enumerate(names) if name not in names[:place]]
        lines = [[text for cell in row for text in cell.exact] for row in sheet.rows]
        return _written([[line[place] for place in kept] for line in (names, *lines)])

    def wrote(self, text: str) -> bool:
        """Return False: nothing in a CSV file says what wrote it, so none is replaced."""
        return False


def _written(lines: Iterable[Iterable[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()
