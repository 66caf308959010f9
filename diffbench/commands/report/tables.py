"""The tables of the page: those of the folder of results as sheets, with the files that each row was made from."""

import ast
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas

from diffbench.base import sheets
from diffbench.base.errors import UserError
from diffbench.base.names import REAL
from diffbench.base.plugins import module_of
from diffbench.base.provenance_file import RESULTS
from diffbench.base.records import ROW_KEYS
from diffbench.commands.report.records import Tree
from diffbench.commands.reporting.words import model_in_words
from diffbench.page.contents import Cell, Column, Row, Table
from diffbench.stages._digits import shown as number_as_text
from diffbench.stages._sheets import every_column, sheet_of, shown_columns, view_of
from diffbench.stages._wide import FLOAT_FORMAT, read_wide, values_of

DIFFERENCES = "differences"

ORDER = ("table1", "table2", "table3", "table4", "table5", "published", DIFFERENCES, "rate_distortion")
"""The tables that come first; any other one follows."""

ALWAYS = "table2"
"""The table whose absence is always worth a word."""

SAID_OF_DIFFERENCES = (
    "Each sample set against its baseline, metric by metric. It is better or worse if the interval of the difference "
    "excludes 0."
)

BESIDE = ("cost",)
"""CSV files of the folder that are no tables."""

BEST = "best_"
"""The beginning of a column that is about the best sample set of a model."""

BASELINE = "baseline_"
"""The beginning of a column that is about the set with which a row's own is compared."""

IDENTITY = (*ROW_KEYS, "protocol")

OF_A_MODEL = ("benchmark", "model", "train_seed")
"""What identifies the numbers of a model itself."""


@dataclass(frozen=True)
class Read:
    """A table before its files have places: the files of each row, by their places in the tree."""

    sheet: Table
    files: tuple[tuple[str, ...], ...] = ()

    def placed(self, at: Mapping[str, int]) -> Table:
        """Return the table whose rows name their files by number. at: the number of each place."""
        own = (self.sheet.place,) if self.sheet.place in at else ()
        rows = [
            replace(row, files=tuple(at[place] for place in (*files, *own) if place in at) if files else ())
            for row, files in zip(self.sheet.rows, self.files, strict=True)
        ]
        return replace(self.sheet, rows=tuple(rows))


def read_tables(tree: Tree) -> list[Read]:
    """Return the tables of a tree, in the order of their names. Raises: UserError if one is damaged."""
    here = {path.stem for path in tree.results.glob("*.csv")} - set(BESIDE)
    names = [name for name in ORDER if name in here or name == ALWAYS]
    return [_read(tree, name) for name in (*names, *sorted(here - set(names)))]


def _read(tree: Tree, name: str) -> Read:
    place = f"{RESULTS}/{name}.csv"
    if not tree.has(place):
        return Read(Table(name, _title(name), place, missing=f"{place} is not here. A run of the workflow makes it."))
    recorded = tree.whole(place)
    frame = read_wide(tree.path(place))
    if not len(frame):
        return Read(Table(name, _title(name), place, missing=f"{place} has no rows."))
    files = tuple(() for _ in range(len(frame))) if recorded is None else _files_of_rows(tree, recorded, frame)
    if name == DIFFERENCES:
        table = shown(frame, name, place=place, title=_title(name), name=name)
        return Read(replace(table, title=_title(name), caption=SAID_OF_DIFFERENCES), files)
    kind = name if recorded is None else recorded["spec"].get("table", {}).get("name", name)
    return Read(shown(frame, kind, place=place, title=_title(name), name=name), files)


def _title(name: str) -> str:
    words = name.replace("_", " ")
    return f"Table {name.removeprefix('table')}" if name in ORDER[:5] else words[:1].upper() + words[1:]


def said_of(folder: str, name: str) -> str:
    """Return the first line of what a part's file says of itself; "" if it is not here. The file is not run."""
    try:
        found = find_spec(module_of(folder, name))
        text = ast.get_docstring(ast.parse(Path((found and found.origin) or "").read_text(encoding="utf-8")))
    except (UserError, ImportError, OSError, ValueError, SyntaxError):
        return ""
    return " ".join((text or "").partition("\n\n")[0].split())


def shown(
    frame: pandas.DataFrame, kind: str, *, place: str, title: str, name: str, always: Sequence[str] | None = None
) -> Table:
    """Return a data frame as a table of the page, with its best values marked.

    kind: of which table it is, which decides the columns that are always shown. always: those columns, for a frame that
    is no table of diffbench/tables.
    """
    view = view_of(kind, frame)
    narrow = shown_columns(frame, view) if always is None else [key for key in always if key in frame]
    lead = next((key for key in ("model", "stage", "candidate") if key in narrow), narrow[0])
    keys = [lead, *(key for key in narrow if key != lead), *(key for key in every_column(frame) if key not in narrow)]
    sheet, short = sheet_of(frame, kind, keys), sheet_of(frame, kind, narrow)
    columns = [_column(column, extra=column.names[0] not in narrow) for column in sheet.columns]
    lines = frame.astype(object).where(frame.notna(), None).to_dict("records")
    rows = [
        Row(name_of(line, lead), tuple(map(_cell, columns, cells)))
        for line, cells in zip(lines, sheet.rows, strict=True)
    ]
    named = "" if view.title == "" else f": {view.title[:1].lower()}{view.title[1:]}"
    caption = short.caption.removeprefix(f"{view.title}. ") if always is None else ""
    notes = short.notes if always is None else ()
    return Table(name, f"{title}{named}", place, caption, tuple(columns), tuple(rows), notes=notes)


def _column(column: sheets.Column, *, extra: bool) -> Column:
    return Column(column.names[0], column.title, numeric=column.numeric, direction=column.direction or "", extra=extra)


def _cell(column: Column, cell: sheets.Cell) -> Cell:
    text = model_in_words(cell.text) if column.key == "model" else cell.text
    number = cell.exact[0] if column.numeric else ""
    return Cell(text, cell.interval, number if number and math.isfinite(float(number)) else "", cell.mark or "")


def name_of(line: Mapping[str, Any], first: str) -> str:
    """Return how a row is called: model, scale, sampler and steps, and the seeds that are not 0."""
    words = [model_in_words(str(line.get(first) or ""))]
    words += (
        [f"scale {number_as_text(float(line['guidance_scale']))}"] if line.get("guidance_scale") is not None else []
    )
    words += [str(line["sampler"])] if line.get("sampler") else []
    if line.get("steps") is not None:
        words.append(f"{line['steps']} steps" if line["steps"] else "adaptive steps")
    words += [f"{key.replace('_', ' ')} {line[key]}" for key in ("train_seed", "sample_seed") if line.get(key)]
    words += [f"compared by {line['metric']}"] if line.get("metric") else []
    return ", ".join(words)


def _files_of_rows(tree: Tree, recorded: Mapping[str, Any], frame: pandas.DataFrame) -> tuple[tuple[str, ...], ...]:
    """Return the files whose records are in each row of a table: scores, terms, and records of weights."""
    given = recorded["facts"].get("given", {})
    metrics = {str(name).removeprefix(BEST) for name in frame.columns} | {*values_of(frame, "metric")}
    numbers: list[tuple[str, Mapping[str, Any]]] = [
        (place, item) for place in given.get("scores", ()) for item in tree.scores(place) if item["metric"] in metrics
    ]
    for source in ("terms", "weights"):
        models = zip(given.get(source, ()), recorded["spec"].get("rows", ()), strict=False)
        numbers += [(tree.artifact(place), {**dict.fromkeys(IDENTITY), **row}) for place, row in models]
    lines = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return tuple(_files_of_row([_with_its_best(line), *_baselines(line)], numbers) for line in lines)


def _with_its_best(line: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a row of models with the coordinates of its best sample set as if they were its own."""
    best = {key.removeprefix(BEST): value for key, value in line.items() if key.startswith(BEST)}
    return {**{key: value for key, value in best.items() if key in IDENTITY}, **line}


def _baselines(line: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the row with which a row of differences is compared, if it is one."""
    named = {key.removeprefix(BASELINE): value for key, value in line.items() if key.startswith(BASELINE)}
    return [{**line, **{key: value for key, value in named.items() if key in IDENTITY}}] if "model" in named else []


def _files_of_row(
    lines: Sequence[Mapping[str, Any]], numbers: Sequence[tuple[str, Mapping[str, Any]]]
) -> tuple[str, ...]:
    return tuple(dict.fromkeys(place for line in lines for place, item in numbers if _is_of(item, line)))


def _is_of(item: Mapping[str, Any], line: Mapping[str, Any]) -> bool:
    """Return whether a record is about a row: all that identifies both is equal."""
    own = item["sampler"] is None and item["model"] != REAL
    keys = OF_A_MODEL if own else IDENTITY
    if "metric" in line and item.get("metric") != line["metric"]:
        return False
    return all(_equal(item[key], line[key]) or (item[key] is None and key == "protocol") for key in keys if key in line)


def _equal(recorded: Any, written: Any) -> bool:
    """Return whether a record's value is the one that a table has, whose numbers have six digits."""
    numbers = isinstance(recorded, float) and isinstance(written, (int, float))
    return FLOAT_FORMAT % recorded == FLOAT_FORMAT % written if numbers else recorded == written
