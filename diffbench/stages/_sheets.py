"""Sheets of tables: the columns that people are shown, with rounded numbers, intervals and marks.

`sheet_of` makes one from a data frame, and a format of diffbench/formats writes it:

    Markdown()(sheet_of(read_wide(Path("results/table2.csv")), "table2"))
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import pandas

from diffbench.base.errors import UserError
from diffbench.base.names import REAL
from diffbench.base.plugins import load, names, nearest
from diffbench.base.protocol_ids import protocol_fields
from diffbench.base.records import NORMAL_95, ROW_KEYS
from diffbench.base.sheets import METRICS, Cell, Column, Direction, Mark, Sheet, View
from diffbench.metrics._contract import Metric
from diffbench.stages._captions import caption_of, letters_of, notes_of
from diffbench.stages._digits import decimals_of, decimals_without_intervals, marks, shown
from diffbench.stages._wide import FLOAT_FORMAT, sampled, values_of
from diffbench.tables._rows import ERRORS

SCORES = "table2"
"""The table whose view is used for a file of scores with another name, such as one of `diffbench measure --csv`."""

DIFFERENCES = View(
    title="Differences to a baseline",
    columns=(
        *("benchmark", "model", "sampler", "steps", "guidance_scale", "metric"),
        *("baseline_model", "baseline_sampler", "baseline_guidance_scale", "num_images", "protocol"),
        *("value", "baseline_value", "difference", "outcome", "covers"),
    ),
    if_varied=("benchmark", "num_images", "protocol"),
    ranked=False,
)
"""The view of the table of differences, which `diffbench/commands/compare` makes and no class of diffbench/tables."""

PUBLISHED = View(
    title="Reproduced against published",
    columns=(
        *("benchmark", "model", "sampler", "steps", "guidance_scale", "reference", "metric", "num_images", "protocol"),
        *("value", "published", "difference", "verdict", "paper", "table", "note", "covers"),
    ),
    if_varied=("benchmark", "reference", "num_images", "protocol"),
    ranked=False,
)
"""The view of the table beside published numbers, which `diffbench/commands/published` makes."""

BESIDE_PUBLISHED = {"published", "verdict", "difference"}
"""Columns by which that table is known."""

OF_A_DIFFERENCE = {"compared", "metric", "difference"}
"""Columns by which that table is known."""

CLAIMS = View(
    title="Claims of papers",
    columns=("claim", "statement", "outcome", "test", "on", "effect", "interval", "published", "reason"),
    if_varied=("interval", "published", "reason"),
    ranked=False,
)
"""The view of the table of claims, which `diffbench/commands/claims` makes."""

OF_A_CLAIM = {"claim", "test", "outcome"}
"""Columns by which that table is known."""

OF_A_MODEL: dict[str, Direction] = {"nll_bits_per_dim": "down", "nll_train_bits_per_dim": "down"}
"""The directions of scores of a model itself. No protocol of samples concerns them.

Rate and distortion are not ranked, since less of one costs more of the other.
"""

BEST = "best_"
"""The beginning of a column with the best value of a metric."""

TITLES = {
    "nfe": "NFE",
    "nfe_max": "NFE, max",
    "nfe_low_res": "NFE, low res",
    "guidance_scale": "scale",
    "num_images": "images",
    "inception_score": "IS",
    "psnr_enlarged": "PSNR (dB), enlarged",
    "ssim": "SSIM",
    "nll_bits_per_dim": "bits/dim",
    "nll_train_bits_per_dim": "bits/dim, train",
    "nll_gap_bits_per_dim": "bits/dim, gap",
    "rate_bits_per_dim": "rate (bits/dim)",
    "distortion_bits_per_dim": "distortion (bits/dim)",
    "distortion_rmse": "distortion (RMSE)",
    "prior_bits_per_dim": "prior (bits/dim)",
    "flops_per_image": "FLOPs/image",
    "flops_per_evaluation": "FLOPs/evaluation",
    "training_flops": "training FLOPs",
    "reverse_time": "reverse steps",
}
"""The heads of columns that are no metrics, or whose metric has a long label."""


def sheet_of(frame: pandas.DataFrame, name: str, columns: Sequence[str] | None = None) -> Sheet:
    """Return the sheet of a table.

    name: of the table's kind or file, such as table2. columns: names of the wide table; None for those that its kind
    shows to people. Raises: UserError for a column that the table does not have.
    """
    view = view_of(name, frame)
    chosen = shown_columns(frame, view) if columns is None else _known(frame, columns)
    heads = tuple(_column(frame, column, ranked=view.ranked) for column in chosen)
    cells = [_cells(frame, head) for head in heads]
    rows = tuple(zip(*cells, strict=True))
    gaps = any(_has_gap(frame, head) for head in heads)
    notes = (*notes_of(frame, heads, gaps=gaps), *_not_told_apart(frame, chosen))
    return Sheet(name, caption_of(frame, view, heads), heads, rows, notes)


def _not_told_apart(frame: pandas.DataFrame, columns: Sequence[str]) -> list[str]:
    """Return a note that names the columns by which rows differ that look alike without them."""
    keys = [key for key in ROW_KEYS if key in frame]
    shown = [key for key in keys if key in columns]
    if not shown:
        return []
    groups = frame.groupby(shown, dropna=False, sort=False)
    hidden = [key for key in keys if key not in shown and bool((groups[key].nunique(dropna=False) > 1).any())]
    words = " and ".join(key.replace("_", " ") for key in hidden)
    return [f"Rows that look alike differ in {words}, which is not shown."] if hidden else []


def view_of(name: str, frame: pandas.DataFrame) -> View:
    """Return the view of a table by its name, or by its columns; of other files of scores, that of the main table."""
    if name in names("tables"):
        return load("tables", name).view
    if {*frame.columns} >= BESIDE_PUBLISHED:
        return PUBLISHED
    if {*frame.columns} >= OF_A_DIFFERENCE:
        return DIFFERENCES
    if {*frame.columns} >= OF_A_CLAIM:
        return CLAIMS
    return load("tables", SCORES).view if {"model", "protocol"} <= {*frame.columns} else View()


def every_column(frame: pandas.DataFrame) -> list[str]:
    """Return all columns of a table, except the ends of intervals, which belong to their values."""
    held = [str(name) for name in frame.columns]
    ends = {f"{name}{end}" for name in held for end in ("_low", "_high")}
    return [name for name in held if name not in ends]


def shown_columns(frame: pandas.DataFrame, view: View) -> list[str]:
    """Return the columns that a view shows of a table: those that hold anything and, where the view says so, vary."""
    held = every_column(frame)
    if not view.columns:
        return held
    if frame.empty:
        return [name for name in view.columns if name in held]
    models = sampled(frame)
    metrics = [name for name in held if f"{name}_low" in frame and name not in view.columns and _holds(frame, name)]
    first = [name for name in metrics if name not in view.beside]
    found = []
    for name in view.columns:
        if name == METRICS:
            found += first or metrics
        elif name in held and _holds(frame, name):
            found += [name] if name not in view.if_varied or _varies(models, name) else []
    return found


def _varies(frame: pandas.DataFrame, name: str) -> bool:
    held = values_of(frame, name)
    return len(held) > 1 or (len(held) == 1 and bool(frame[name].isna().any()))


def _holds(frame: pandas.DataFrame, name: str) -> bool:
    return bool(values_of(frame, name))


def _known(frame: pandas.DataFrame, columns: Sequence[str]) -> list[str]:
    held = [str(name) for name in frame.columns]
    for name in columns:
        if name not in held:
            raise UserError(f"--columns: no column '{name}'; {nearest(name, held)}")
    return list(dict.fromkeys(columns))


def _column(frame: pandas.DataFrame, name: str, *, ranked: bool) -> Column:
    ends = [f"{name}_low", f"{name}_high"]
    error = ERRORS.get(name, "")
    beside = ends if {*ends} <= {*frame.columns} else [error] if error in frame else []
    numeric = pandas.api.types.is_numeric_dtype(frame[name])
    direction = _direction(name) if ranked and numeric else None
    return Column(_title(name), (name, *beside), direction, numeric)


def _title(name: str) -> str:
    if name.startswith(BEST):
        return f"best {_title(name.removeprefix(BEST))}"
    metric = _metric(name)
    return TITLES.get(name) or (metric.label if metric else name.rpartition(".")[2].replace("_", " "))


def _direction(name: str) -> Direction | None:
    """Return whether higher or lower values are better; None if neither is, or no metric of that name is found."""
    if name in OF_A_MODEL:
        return OF_A_MODEL[name]
    metric = _metric(name.removeprefix(BEST))
    if metric is None or metric.ideal is not None:
        return None
    return "up" if metric.higher_is_better else "down"


@cache
def _metric(name: str) -> type[Metric] | None:
    """Return the class of a metric. One of your own may be in a folder that is not here: then None."""
    if name not in names("metrics") and "." not in name:
        return None
    try:
        return load("metrics", name)
    except UserError:
        return None


def _cells(frame: pandas.DataFrame, column: Column) -> list[Cell]:
    exact = list(zip(*([_exact(value) for value in frame[name]] for name in column.names), strict=True))
    if column.names == ("protocol",):
        letters = letters_of(frame)
        return [Cell(letters.get(held[0], ""), exact=held) for held in exact]
    if not column.numeric:
        return [Cell(held[0], exact=held) for held in exact]
    values, lows, highs = _numbers(frame, column)
    digits = _digits(frame, [(high - low) / 2 for low, high in zip(lows, highs, strict=True)])
    without = decimals_without_intervals(values)
    texts = [shown(value, without if own is None else own) for value, own in zip(values, digits, strict=True)]
    ranks: list[Mark | None] = [None] * len(texts)
    if column.direction is not None:
        ranks = marks(texts, _groups(frame, column.names[0]), higher=column.direction == "up")
    symmetric = len(column.names) == 2
    intervals = [
        _interval(low, high, own, symmetric=symmetric) if text else ""
        for text, low, high, own in zip(texts, lows, highs, digits, strict=True)
    ]
    return [Cell(*parts) for parts in zip(texts, intervals, ranks, exact, strict=True)]


def _digits(frame: pandas.DataFrame, half_widths: Sequence[float]) -> list[int | None]:
    """Return the decimals of each row of a column. Rows of different metrics, such as FID and KID, have their own."""
    kinds = list(frame["metric"]) if "metric" in frame else [""] * len(frame)
    found = {
        kind: decimals_of([width for width, own in zip(half_widths, kinds, strict=True) if own == kind])
        for kind in dict.fromkeys(kinds)
    }
    return [found[kind] for kind in kinds]


def _numbers(frame: pandas.DataFrame, column: Column) -> tuple[list[float], list[float], list[float]]:
    """Return the values of a column and both ends of their intervals; NaN for what is missing."""
    value, *beside = (frame[name].astype("float64") for name in column.names)
    if len(beside) == 1:
        margin = NORMAL_95 * beside[0]
        beside = [value - margin, value + margin]
    low, high = beside or (value * float("nan"),) * 2
    return list(value), list(low), list(high)


def _interval(low: float, high: float, digits: int | None, *, symmetric: bool) -> str:
    if pandas.isna(low) or pandas.isna(high) or digits is None or low == high:
        return ""
    if symmetric:
        return f"± {shown((high - low) / 2, digits)}"
    return f"{shown(low, digits)} to {shown(high, digits)}"


def _groups(frame: pandas.DataFrame, name: str) -> list[Any]:
    """Return for each row what its value can be compared within; None for held-out images, which no model made."""
    metric = name.removeprefix(BEST)
    real = list(frame["model"] == REAL) if "model" in frame else [False] * len(frame)
    benchmarks = list(frame["benchmark"]) if "benchmark" in frame else [""] * len(frame)
    protocols: list[Any] = [""] * len(frame)
    if metric not in OF_A_MODEL and "protocol" in frame:
        ids = ["" if pandas.isna(word) else str(word) for word in frame["protocol"]]
        protocols = [tuple(protocol_fields(word, metric).items()) for word in ids]
    places = zip(benchmarks, protocols, strict=True)
    return [None if left else place for left, place in zip(real, places, strict=True)]


def _exact(value: Any) -> str:
    if pandas.isna(value):
        return ""
    short = FLOAT_FORMAT % value if isinstance(value, float) else str(value)
    # A file of `diffbench measure --csv` has all digits.
    return short if not isinstance(value, float) or float(short) == value else repr(value)


def _has_gap(frame: pandas.DataFrame, column: Column) -> bool:
    """Return whether a score of a sampled row is missing."""
    return column.direction is not None and bool(pandas.Series(sampled(frame)[column.names[0]]).isna().any())
