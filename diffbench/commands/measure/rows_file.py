"""A CSV file with a row for each measured sample set, which grows as checkpoints are scored one after another.

The columns are the keys of a table's rows, the protocol, and each metric with its interval. So `diffbench compare`
reads the file as a table, and every row of it was measured under one protocol.
"""

import csv
import fcntl
import io
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from diffbench.base.errors import UserError
from diffbench.base.records import ROW_KEYS
from diffbench.commands.measure.before import require_writable

OWN = "write these scores to another file by --csv"


def require_open(file: Path | None, *, append: bool, metrics: Sequence[str]) -> None:
    """Raise UserError, before any work, if a row of these metrics cannot be written to a file."""
    if file is None:
        if append:
            raise UserError("--append: adds a row to the file of --csv; name one")
        return
    if file.exists() and not file.is_dir() and not append:
        raise UserError(f"--csv {file}: exists; add a row to it by --append, or name another file")
    require_writable(file, "--csv", is_folder=False)
    if file.exists() and file.stat().st_size:
        _require_columns(file, _rows(file)[0], _columns(metrics))


def add_row(file: Path, records: Sequence[Mapping[str, Any]], *, kept: Path) -> str:
    """Write the records as a row of a CSV file, below its header, and return what was done.

    A row that the file has already is not written again, so that a loop can be repeated. kept: the file that has the
    same scores, for messages. Raises: UserError if the file's rows are of other metrics or of another protocol, or
    one with the same name has other scores.
    """
    row = _row(records)
    text = _written([row])
    try:
        with open(file, "a+", newline="", encoding="utf-8") as opened:
            # Loops over checkpoints may run side by side. Some file systems have no locks.
            with suppress(OSError):
                fcntl.flock(opened, fcntl.LOCK_EX)
            opened.seek(0)
            before = opened.read()
            if not before:
                opened.write(_written([{name: name for name in row}]) + text)
                return f"and as row 1 of {file}"
            found = _require_fitting(file, before, row, kept)
            if found:
                return f"and not again to {file}, which has this row"
            opened.write(text if before.endswith("\n") else f"\n{text}")
            return f"and as row {len(_parsed(before)[1]) + 1} of {file}"
    except OSError as error:
        raise UserError(f"--csv {file}: cannot be written ({error.strerror}); the scores are in {kept}") from error


def _require_fitting(file: Path, text: str, row: Mapping[str, str], kept: Path) -> bool:
    """Return whether the file has the row already. Raises: UserError if the row does not belong to its rows."""
    columns, rows = _parsed(text)
    _require_columns(file, columns, list(row))
    for other in rows:
        if other["protocol"] != row["protocol"]:
            field = _difference(other["protocol"], row["protocol"])
            raise UserError(f"--csv {file}: its rows have another protocol, {field}; {OWN}; they are in {kept} too")
        if other["model"] == row["model"] and other != row:
            raise UserError(
                f"--csv {file}: has a row '{row['model']}' with other scores; give these another --name, or remove "
                f"that row; the new scores are in {kept}"
            )
    return dict(row) in rows


def _require_columns(file: Path, columns: Sequence[str], wanted: Sequence[str]) -> None:
    if list(columns) == list(wanted):
        return
    metrics = [name.removesuffix("_low") for name in columns if name.endswith("_low")]
    if metrics and list(columns) == _columns(metrics):
        raise UserError(
            f"--csv {file}: its rows have the metrics {','.join(metrics)}; give these by --metrics, or {OWN}"
        )
    raise UserError(f"--csv {file}: is not a file that `diffbench measure --csv` wrote; {OWN}")


def _difference(one: str, other: str) -> str:
    """Return the first field in which two ids of protocols differ, with both values."""
    a, b = ({key: value for key, _, value in _pairs(text)} for text in (one, other))
    field = next(key for key in [*a, *b] if a.get(key) != b.get(key))
    return f"{field} ({a.get(field, 'absent')}, and {b.get(field, 'absent')} here)"


def _pairs(text: str) -> list[tuple[str, str, str]]:
    return [part.partition("=") for part in text.split(";")]


def _columns(metrics: Sequence[str]) -> list[str]:
    return [*ROW_KEYS, "protocol", *(f"{metric}{end}" for metric in metrics for end in ("", "_low", "_high"))]


def _row(records: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    first = records[0]
    row = {key: first[key] for key in (*ROW_KEYS, "protocol")}
    for item in records:
        row |= {f"{item['metric']}{end}": item[key] for end, key in (("", "value"), ("_low", "low"), ("_high", "high"))}
    return {key: "" if value is None else str(value) for key, value in row.items()}


def _written(rows: Sequence[Mapping[str, str]]) -> str:
    text = io.StringIO()
    csv.DictWriter(text, list(rows[0]), lineterminator="\n").writerows(rows)
    return text.getvalue()


def _rows(file: Path) -> tuple[list[str], list[dict[str, str]]]:
    try:
        return _parsed(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else "no CSV in UTF-8"
        raise UserError(f"--csv {file}: cannot be read ({reason}); {OWN}") from None


def _parsed(text: str) -> tuple[list[str], list[dict[str, str]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    rows = list(reader)
    return list(reader.fieldnames or []), rows
