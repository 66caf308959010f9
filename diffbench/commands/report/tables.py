"""The tables of the page: those of the folder of results, with the files that each row was made from."""

import ast
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas

from diffbench.base.errors import UserError
from diffbench.base.names import REAL
from diffbench.base.plugins import module_of
from diffbench.base.provenance_file import RESULTS
from diffbench.base.records import ROW_KEYS
from diffbench.commands.report.records import Tree
from diffbench.commands.reporting.words import model_in_words
from diffbench.page.contents import Cell, Column, Row, Table

TITLES = {
    "table1": "Table 1: models",
    "table2": "Table 2: sample quality",
    "table3": "Table 3: the choices of a model",
    "table4": "Table 4: guidance",
    "table5": "Table 5: upsampling",
    "rate_distortion": "Rate and distortion",
    "differences": "Differences",
}
"""The tables in their order; any other table follows under its own name."""

ALWAYS = "table2"
"""The table whose absence is always worth a word."""

BESIDE = ("cost",)
"""CSV files of the folder that are no tables."""

HEADS = {
    "fid": "FID", "sfid": "sFID", "kid": "KID", "inception_score": "IS", "nfe": "NFE", "nfe_max": "NFE, most",
    "nll_bits_per_dim": "NLL, bits/dim", "nll_train_bits_per_dim": "NLL (train), bits/dim",
    "nll_gap_bits_per_dim": "NLL gap, bits/dim", "rate_bits_per_dim": "rate, bits/dim",
    "distortion_bits_per_dim": "distortion, bits/dim", "prior_bits_per_dim": "prior, bits/dim",
    "distortion_rmse": "distortion, RMSE", "flops_per_image": "FLOPs per image", "guidance_scale": "scale",
    "psnr": "PSNR", "psnr_enlarged": "PSNR, enlarged", "num_images": "images", "peak_memory_mib": "peak MiB",
    "fd_dinov2": "FD-DINOv2",
}  # fmt: skip
"""Heads of columns that are not the column's own name with spaces."""

UP = ("inception_score", "precision", "recall", "coverage", "density", "classification_accuracy", "psnr")
DOWN = ("fid", "sfid", "kid", "fd_dinov2", "fid_infinity", "nll_bits_per_dim", "nll_train_bits_per_dim")
"""Metrics of which higher, or lower, values are better."""

ERRORS = {"nll_bits_per_dim": "nll_se", "nll_train_bits_per_dim": "nll_train_se", "nll_gap_bits_per_dim": "nll_gap_se"}
"""The column with the standard error of a number that has no interval of its own."""

EXTRA = (
    *("benchmark", "num_images", "protocol", "nfe_max", "nfe_low_res", "classifier_evaluations", "kid", "sfid"),
    *("nll_subset_se", "nll_train_bits_per_dim", "nll_gap_bits_per_dim", "rate_bits_per_dim"),
    *("distortion_bits_per_dim", "distortion_rmse", "prior_bits_per_dim", "flops_per_image", "psnr_enlarged"),
    *("train_seed", "sample_seed", "train_seeds", "nll_train_seeds"),
)
"""Columns that are shown only if all are, except seeds and scores that rows need to be told apart."""

WHOLE_TABLE = ("rate_distortion", "table1")
"""Tables all of whose columns are shown at once."""

IDENTITY = (*ROW_KEYS, "protocol")

OF_A_MODEL = ("benchmark", "model", "train_seed")
"""What identifies the numbers of a model itself."""


@dataclass(frozen=True)
class Read:
    """A table before its files have places: the files of each row, by their places in the tree."""

    table: Table
    files: tuple[tuple[str, ...], ...] = ()

    def placed(self, at: Mapping[str, int]) -> Table:
        """Return the table whose rows name their files by number. at: the number of each place."""
        own = (self.table.place,) if self.table.place in at else ()
        rows = [
            replace(row, files=tuple(at[place] for place in (*files, *own) if place in at) if files else ())
            for row, files in zip(self.table.rows, self.files, strict=True)
        ]
        return replace(self.table, rows=tuple(rows))


def read_tables(tree: Tree) -> list[Read]:
    """Return the tables of a tree, in the order of their names. Raises: UserError if one is damaged."""
    here = {path.stem for path in tree.results.glob("*.csv")} - set(BESIDE)
    names = [name for name in TITLES if name in here or name == ALWAYS]
    return [_read(tree, name) for name in (*names, *sorted(here - set(names)))]


def _read(tree: Tree, name: str) -> Read:
    place, title = f"{RESULTS}/{name}.csv", TITLES.get(name, name)
    if not tree.has(place):
        return Read(Table(name, title, place, missing=f"{place} is not here. A run of the workflow makes it."))
    recorded = tree.whole(place)
    frame = read_frame(tree.path(place))
    caption, files = "", tuple(() for _ in range(len(frame)))
    if recorded is not None:
        caption = said_of("tables", recorded["spec"].get("table", {}).get("name", ""))
        files = _files_of_rows(tree, recorded, frame)
    table = shown(name, title, place, frame)
    if not len(frame):
        return Read(replace(table, caption=caption, missing=f"{place} has no rows."))
    return Read(replace(table, caption=caption), files)


def read_frame(path: Path) -> pandas.DataFrame:
    """Return the content of a CSV file, whole numbers as such. Raises: UserError if it is not one."""
    try:
        frame = pandas.read_csv(path)
    except (pandas.errors.ParserError, pandas.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a table in CSV ({error})") from None
    return frame.convert_dtypes(convert_string=False, convert_floating=False)


def said_of(folder: str, name: str) -> str:
    """Return the first line of what a part's file says of itself; "" if it is not here. The file is not run."""
    try:
        found = find_spec(module_of(folder, name))
        text = ast.get_docstring(ast.parse(Path((found and found.origin) or "").read_text(encoding="utf-8")))
    except (UserError, ImportError, OSError, ValueError, SyntaxError):
        return ""
    return " ".join((text or "").partition("\n\n")[0].split())


def shown(name: str, title: str, place: str, frame: pandas.DataFrame) -> Table:
    """Return a data frame as a table of the page, whose intervals are in the cells of their numbers."""
    columns = [column for column in frame.columns if not _is_beside(column, frame.columns)]
    first = next((key for key in ("model", "stage", "candidate") if key in columns), columns[0] if columns else "")
    ordered = [first, *(key for key in columns if key != first)]
    lines = frame.astype(object).where(frame.notna(), None).to_dict("records")
    kept = [_column(key, name, frame) for key in ordered]
    rows = [Row(name_of(line, first), tuple(_cell(column, line) for column in kept)) for line in lines]
    return Table(name, title, place, columns=tuple(kept), rows=tuple(rows))


def _is_beside(name: str, columns: Iterable[str]) -> bool:
    """Return whether a column is the end of an interval or the error of another one."""
    whole, _, end = name.rpartition("_")
    return (end in ("low", "high") and whole in columns) or any(
        name == error and number in columns for number, error in ERRORS.items()
    )


def _column(key: str, table: str, frame: pandas.DataFrame) -> Column:
    values = frame[key].dropna()
    extra = key in EXTRA and table not in WHOLE_TABLE
    if key in ("train_seed", "sample_seed", "protocol", "benchmark", "num_images"):
        extra = values.nunique() < 2
    direction = "up" if key in UP else "down" if key in DOWN else ""
    numeric = bool(len(values)) and pandas.api.types.is_numeric_dtype(frame[key])
    head = HEADS.get(key, key.replace("_", " "))
    return Column(key, head, numeric=numeric, direction=direction, extra=extra or not len(values))


def name_of(line: Mapping[str, Any], first: str) -> str:
    """Return how a row is called: model, sampler and steps, and the seeds that are not 0."""
    words = [model_in_words(str(line.get(first) or ""))]
    words += [str(line["sampler"])] if line.get("sampler") else []
    if line.get("steps") is not None:
        words.append(f"{text_of(line['steps'])} steps" if line["steps"] else "adaptive steps")
    words += [f"{key.replace('_', ' ')} {line[key]}" for key in ("train_seed", "sample_seed") if line.get(key)]
    return ", ".join(words)


def _cell(column: Column, line: Mapping[str, Any]) -> Cell:
    value = line[column.key]
    if value is None:
        return Cell()
    if not column.numeric:
        return Cell(model_in_words(str(value)) if column.key == "model" else str(value))
    return Cell(text_of(value), _interval(column.key, line), repr(float(value)) if math.isfinite(value) else "")


def _interval(key: str, line: Mapping[str, Any]) -> str:
    low, high = line.get(f"{key}_low"), line.get(f"{key}_high")
    if low is not None and high is not None:
        return f"{text_of(low)} to {text_of(high)}"
    error = line.get(ERRORS.get(key, ""))
    return "" if error is None else f"± {text_of(1.96 * error)}"


def text_of(value: Any) -> str:
    """Return a number as people read it: whole ones with all digits, others with about three."""
    if isinstance(value, int) or float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}" if abs(value) >= 10_000 else str(int(value))
    number = float(value)
    if not math.isfinite(number):
        return "not a number" if math.isnan(number) else "∞" if number > 0 else "−∞"
    if abs(number) >= 1000:
        return f"{number:,.0f}"
    if abs(number) >= 0.1:
        return f"{number:.2f}"
    return f"{number:.2g}"


def _files_of_rows(tree: Tree, recorded: Mapping[str, Any], frame: pandas.DataFrame) -> tuple[tuple[str, ...], ...]:
    """Return the files of scores or terms whose records are in each row of a table."""
    given = recorded["facts"].get("given", {})
    numbers: list[tuple[str, Mapping[str, Any]]] = [
        (place, item)
        for place in given.get("scores", ())
        for item in tree.scores(place)
        if item["metric"] in frame.columns
    ]
    models = zip(given.get("terms", ()), recorded["spec"].get("rows", ()), strict=False)
    numbers += [(place, {**dict.fromkeys(IDENTITY), **row}) for place, row in models]
    lines = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return tuple(_files_of_row(line, numbers) for line in lines)


def _files_of_row(line: Mapping[str, Any], numbers: Sequence[tuple[str, Mapping[str, Any]]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(place for place, item in numbers if _is_of(item, line)))


def _is_of(item: Mapping[str, Any], line: Mapping[str, Any]) -> bool:
    """Return whether a record is about a row: all that identifies both is equal."""
    own = item["sampler"] is None and item["model"] != REAL
    keys = OF_A_MODEL if own else IDENTITY
    return all(item[key] == line[key] or (item[key] is None and key == "protocol") for key in keys if key in line)
