"""A reader of tables of scores, which gives records, even if a spreadsheet has saved the table."""

import codecs
import csv
import io
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from diffbench.base.errors import UserError
from diffbench.base.inputs import checked
from diffbench.base.records import NAMING_KEYS, NORMAL_95, NUMERICS, ROW_KEYS, Estimate, Row, record


def records_of_table(path: Path) -> list[dict[str, Any]]:
    rows = _rows(path)
    checked({str(path): path}, foreign=[str(path)])
    missing = [key for key in (*ROW_KEYS, "protocol") if not rows or key not in rows[0]]
    if missing:
        raise UserError(f"{path}: not a table of scores, it lacks {', '.join(missing)}")
    found = []
    for row in rows:
        where = Row(**{key: value_of(row[key]) for key in ROW_KEYS}, numerics=row.get(NUMERICS) or None)
        for metric in (key.removesuffix("_low") for key in row if key and key.endswith("_low")):
            if row.get(metric):
                value, low, high = (_number(path, row, f"{metric}{end}") for end in ("", "_low", "_high"))
                estimate = Estimate(value, low, high)
                _require_within(path, row, metric, estimate)
                found.append(record(where, metric, row["protocol"], estimate))
        if row.get("nll_bits_per_dim"):
            own = replace(where, sampler=None, steps=None, sample_seed=None)
            margin = NORMAL_95 * _number(path, row, "nll_se")
            value = _number(path, row, "nll_bits_per_dim")
            # A model's own score is in each of its rows, so it is added once. Its protocol is not in the table.
            item = record(own, "nll_bits_per_dim", None, Estimate(value, value - margin, value + margin))
            found += [item] if item not in found else []
    return found


def _rows(path: Path) -> list[dict[str, str | None]]:
    """Return a table's rows as texts, from CSV that diffbench or a spreadsheet wrote.

    A spreadsheet may put a byte order mark before the head, and semicolons or tabs between cells; the numbers then have
    decimal commas, which become points. Raises: UserError if it is not clear which cell is in which column.
    """
    text = _text(path)
    delimiter = _delimiter(text.split("\n", 1)[0])
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
        rows, head = list(reader), reader.fieldnames or []
    except csv.Error as error:
        raise UserError(f"{path}: not a table of scores: it is not CSV ({error})") from None
    twice = [name for name in head if name and head.count(name) > 1]
    if twice:
        raise UserError(f"{path}: two columns are named {twice[0]}; remove the wrong one")
    for number, row in enumerate(rows, start=1):
        # DictReader puts cells beyond the head under the key None.
        surplus = row.pop(None, [])  # type: ignore[call-overload]
        if surplus:
            raise UserError(
                f"{path}: row {number} has {len(surplus)} cells more than the head, so its numbers are in wrong "
                f"columns; save the table with commas, or with quotes around cells that hold '{delimiter}'"
            )
    if delimiter == ",":
        return rows
    return [{key: _with_point(cell) for key, cell in row.items()} for row in rows]


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UserError(f"{path}: not a table of scores: it is UTF-16, which some spreadsheets write; save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{path}: not a table of scores: it is not CSV in UTF-8") from None


def _delimiter(head: str) -> str:
    for delimiter in (";", "\t"):
        if {"benchmark", "protocol"} <= {cell.strip(' "\r') for cell in head.split(delimiter)}:
            return delimiter
    return ","


def _with_point(cell: str | None) -> str | None:
    """Return a number with a point instead of its decimal comma, and any other cell unchanged."""
    return cell.replace(",", ".") if cell and re.fullmatch(r"[-+]?\d+,\d+([eE][-+]?\d+)?", cell.strip()) else cell


def _require_within(path: Path, row: Mapping[str, str | None], metric: str, estimate: Estimate) -> None:
    """Raise UserError if a number is outside its interval, as when a spreadsheet misread a decimal point."""
    if not estimate.low <= estimate.value <= estimate.high:
        raise UserError(
            f"{path}: {_place(row)}: {metric} is {estimate.value:g}, outside of its own interval {estimate.low:g} to "
            f"{estimate.high:g}; the table was changed, make it again"
        )


def _number(path: Path, row: Mapping[str, str | None], column: str) -> float:
    """Return a cell as a number. Raises: UserError naming the row and the column if it is not one."""
    cell = row.get(column)
    try:
        number = float(cell or "")
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UserError(f"{path}: {_place(row)}: {column} is {cell!r}, not a number; make the table again")
    return number


def _place(row: Mapping[str, str | None]) -> str:
    return "/".join(row[key] or "" for key in NAMING_KEYS if row[key])


def value_of(cell: str | None) -> Any:
    if not cell:
        return None
    try:
        return int(cell)
    except ValueError:
        try:
            return float(cell)
        except ValueError:
            return cell
