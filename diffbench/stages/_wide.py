"""Tables as data frames in which whole numbers are whole, from the CSV text that the stage `tabulate` writes."""

import io
import re
from pathlib import Path
from typing import Any

import pandas

from diffbench.base.errors import UserError
from diffbench.base.names import REAL

FLOAT_FORMAT = "%.6g"
"""Six digits are more than any interval resolves, and so few that the last bits of two machines do not show.

The exact numbers are in the score files."""

NAMES = (
    *("benchmark", "model", "sampler", "protocol", "weights", "best_sampler"),
    *("baseline_model", "baseline_sampler"),
    *("published", "published_model"),
)
"""Columns that hold names even if they look like numbers, or numbers as a paper prints them."""

WHOLE = re.compile(r"-?[0-9]{1,18}")
"""The text of a whole number that an Int64 holds."""

NO_COUNTS = ("guidance_scale",)
"""Columns that are no counts even if all of their numbers are whole. Scores are none either: they have intervals."""


def csv_text(frame: pandas.DataFrame) -> str:
    """Return a table as CSV."""
    return frame.to_csv(index=False, float_format=FLOAT_FORMAT, lineterminator="\n")


def frame_of(text: str, where: Path | str = "the table") -> pandas.DataFrame:
    """Return the data frame of a table's CSV. where: its file, for messages. Raises: UserError if it is no table."""
    try:
        frame = pandas.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    except (pandas.errors.ParserError, pandas.errors.EmptyDataError) as error:
        raise UserError(f"{where}: not a table ({str(error).strip()}); name a CSV file of diffbench") from None
    if len(frame.columns) == 1 and set(";\t") & set(str(frame.columns[0])):
        raise UserError(f"{where}: its cells are not separated by commas; save the table as CSV with commas")
    scores = {name for name in frame.columns if f"{name}_low" in frame or str(name).endswith(("_low", "_high"))}
    return pandas.DataFrame(
        {
            name: _typed(str(name), pandas.Series(frame[name]), counts=name not in scores and name not in NO_COUNTS)
            for name in frame.columns
        }
    )


def sampled(frame: pandas.DataFrame) -> pandas.DataFrame:
    """Return the rows that a model made, without held-out images."""
    return pandas.DataFrame(frame[frame["model"] != REAL]) if "model" in frame else frame


def values_of(frame: pandas.DataFrame, name: str) -> list[Any]:
    """Return the different values of a column in the order of the rows, without missing ones; none if it is absent."""
    return list(dict.fromkeys(pandas.Series(frame[name]).dropna())) if name in frame else []


def read_wide(path: Path) -> pandas.DataFrame:
    """Return the data frame of a table's file. Raises: UserError if it cannot be read or is no table."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not a table: it is not CSV in UTF-8") from None
    return frame_of(text, path)


def _typed(name: str, cells: pandas.Series, *, counts: bool) -> pandas.Series:
    """Return a column of names, of whole numbers or of other ones; empty cells are missing values.

    counts: whether whole numbers are counts, so that the column is one of whole numbers.
    """
    held = cells.where(cells != "")
    if name in NAMES:
        return held
    try:
        numbers = held.astype("float64")
    except ValueError:
        return held
    present = held.dropna()
    whole = counts and not present.empty and present.str.fullmatch(WHOLE).all()
    return held.astype("Int64") if whole else numbers
