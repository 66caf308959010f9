"""The command: a benchmark's numbers beside published ones, or a list of published numbers, as Markdown."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from diffbench.base.errors import UserError
from diffbench.base.inputs import checked
from diffbench.base.plugins import nearest
from diffbench.base.provenance_file import RESULTS, provenance_path, read_provenance
from diffbench.base.sheets import Cell, Column, Sheet
from diffbench.commands.missing import way_to
from diffbench.comparison.metrics import written_name
from diffbench.comparison.published.verdict import NOT_COMPARABLE
from diffbench.formats.markdown import Markdown
from diffbench.published.numbers import METRICS, Number, data_name, numbers_of, published_numbers

TABLE = "published.csv"

SHOWN = {
    "model": "model",
    "sampler": "sampler",
    "steps": "steps",
    "guidance_scale": "scale",
    "reference": "reference",
    "metric": "metric",
    "value": "ours",
    "published": "published",
    "difference": "difference",
    "verdict": "verdict",
    "place": "source",
    "note": "note",
}
"""The columns that are printed, with their heads."""

LISTED = {
    "dataset": "data",
    "size": "size",
    "model": "model",
    "objective": "objective",
    "variance": "variance",
    "sampler": "sampler",
    "eta": "eta",
    "steps": "steps",
    "guidance_scale": "scale",
    "metric": "metric",
    "value": "value",
    "spread": "spread",
    "num_images": "images",
    "reference": "reference",
    "protocol": "protocol",
    "place": "source",
    "verified": "verified",
    "note": "note",
}
"""The columns of published numbers that are printed, with their heads."""

NUMERIC = ("steps", "guidance_scale", "value", "published", "difference", "spread", "num_images", "size")

ABBREVIATIONS = {"is": "inception_score", "nll": "nll_bits_per_dim"}
"""What papers call metrics, besides the names that they have here."""


def published_text(results: Path, *, every: bool = False) -> str:
    """Return a benchmark's numbers beside published ones. every: also those that are not comparable.

    Raises: UserError with the way out if the folder holds no such table although there are published numbers.
    """
    folder = results / RESULTS if (results / RESULTS).is_dir() else results
    path = folder / TABLE if results.suffix.lower() != ".csv" else results
    if not path.is_file():
        return _without(folder, path)
    checked({str(path): path}, foreign=[str(path)])
    rows = _read(path)
    comparable = [row for row in rows if not row["verdict"].startswith(NOT_COMPARABLE)]
    shown = rows if every else comparable
    parts = [_markdown("Reproduced against published", SHOWN, map(_of_row, shown))] if shown else []
    left = len(rows) - len(comparable)
    if not comparable:
        parts.append("No published number is of the same model, sampling and protocol as a score of this benchmark.\n")
    if left and not every:
        parts.append(f"{left} published numbers are near and not comparable; --all prints them, with what differs.\n")
    return "\n".join(parts)


def _without(folder: Path, path: Path) -> str:
    """Return the line for a benchmark on whose data no paper published numbers. Raises: UserError for any other."""
    data = folder / "data" / "train.npz"
    if not provenance_path(data).is_file():
        raise UserError(f"{folder}: no results of a benchmark there; {way_to(folder)}")
    record = read_provenance(data)
    data_set, size = record["spec"]["dataset"], str(record["facts"]["shape"][0])
    name = data_name(data_set["name"], data_set.get("category"))
    if numbers_of(name, size):
        raise UserError(f"{path}: no such table; {way_to(path)}")
    return (
        f"No paper whose numbers are listed here published scores of {name} at {size} x {size} pixels, so there is "
        "nothing to compare with. `diffbench published --list` prints the numbers that there are.\n"
    )


def _read(path: Path) -> list[dict[str, str]]:
    try:
        with open(path, newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            rows, head = list(reader), reader.fieldnames or []
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: not a table in CSV ({error})") from None
    missing = [name for name in (*SHOWN, "paper", "table") if name not in head and name != "place"]
    if missing:
        raise UserError(f"{path}: not a table of published numbers, it lacks {', '.join(missing)}")
    return rows


def _of_row(row: Mapping[str, str]) -> dict[str, str]:
    place = ", ".join(part for part in (row["paper"], row["table"]) if part)
    return {**row, "place": place, **{name: _interval(row, name) for name in ("value", "difference")}}


def _interval(row: Mapping[str, str], name: str) -> str:
    """Return a number with its interval, with as many digits as the interval resolves."""
    try:
        value, low, high = (float(row[f"{name}{end}"]) for end in ("", "_low", "_high"))
    except ValueError:
        return ""
    decimals = max(2, len(row["published"].partition(".")[2]))
    return f"{value:.{decimals}f} ({low:.{decimals}f} to {high:.{decimals}f})"


def listed_text(*, datasets: Sequence[str] = (), models: Sequence[str] = (), metrics: Sequence[str] = ()) -> str:
    """Return published numbers of some data sets, models and metrics; all of them if none is named.

    A model is found by any part of its name or of its paper's. Raises: UserError if there is no such number.
    """
    held = published_numbers()
    wanted_data = [_data(word, held) for word in datasets]
    wanted_metrics = [_metric(word, held) for word in metrics]
    words = [word.lower() for word in models]
    found = [
        number
        for number in held
        if (not wanted_data or number.dataset in wanted_data)
        and (not wanted_metrics or number.metric in wanted_metrics)
        and (not words or any(word in f"{number.model} {number.paper}".lower() for word in words))
    ]
    if not found:
        raise UserError("no published number is of this data set, model and metric; leave one of the options out")
    return _markdown(f"{len(found)} of {len(held)} published numbers", LISTED, map(_of_number, found))


def _of_number(number: Number) -> dict[str, str]:
    return {**vars(number), "place": f"{number.place} (arXiv {number.arxiv})"}


def _data(word: str, held: Sequence[Number]) -> str:
    known = {number.dataset for number in held if number.dataset}
    plain = {name.replace("_", ""): name for name in known}
    short = written_name(word).replace("_", "")
    if short not in plain:
        raise UserError(f"--dataset {word}: no published numbers of it; {nearest(written_name(word), known)}")
    return plain[short]


def _metric(word: str, held: Sequence[Number]) -> str:
    known = {number.metric for number in held}
    name = written_name(word)
    name = ABBREVIATIONS.get(name, name)
    if name in known:
        return name
    if word in known:
        return word
    raise UserError(f"--metric {word}: no published numbers of it; {nearest(name, METRICS)}")


def _markdown(caption: str, columns: Mapping[str, str], rows: Iterable[Mapping[str, Any]]) -> str:
    lines = [{name: str(row.get(name) or "") for name in columns} for row in rows]
    held = [name for name in columns if any(line[name] for line in lines)]
    heads = tuple(Column(columns[name], (name,), numeric=name in NUMERIC) for name in held)
    cells = tuple(tuple(Cell(line[name]) for name in held) for line in lines)
    # The first line says that `diffbench table` made a file; this text is printed.
    return Markdown()(Sheet("published", caption, heads, cells)).partition("\n\n")[2]
