"""Rows of tables that have one for each sample set: their filling from records, their order, and their data frame."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas

from diffbench.base.errors import UserError
from diffbench.base.names import REAL
from diffbench.base.records import NORMAL_95, NUMERICS, ROW_KEYS

WHOLE = (
    *("steps", "nfe", "nfe_max", "train_seed", "sample_seed", "num_images"),
    *("flops_per_image", "classifier_evaluations", "nfe_low_res"),
    *("timesteps", "train_seeds", "nll_train_seeds"),
    *("parameters", "flops_per_evaluation", "training_steps", "batch_size", "images_seen"),
    *("best_steps", "best_sample_seed"),
)
"""Columns that are written without a decimal point if all their numbers are whole."""

TEXT = (
    *("benchmark", "model", "sampler", "protocol", NUMERICS, "weights", "best_sampler"),
    *("parameterization", "objective", "t_drawn", "variance", "schedule"),
)
"""Columns of names."""

SCORES = (
    *("fid", "sfid", "fid_infinity", "fd_dinov2", "mind", "kid", "kdd", "inception_score"),
    *("precision", "recall", "density", "coverage", "nearest_neighbour", "authpct", "ct"),
    *("classified", "classification_accuracy"),
)
"""The metrics of diffbench in the order of their columns. Those of your own come after them."""

NO_SCORES = (
    *("nfe", "nfe_max", "nfe_low_res", "classifier_evaluations", "flops_per_image"),
    *("distortion_rmse", "psnr", "psnr_enlarged"),
)
"""What is recorded of a sample set or a model, but is not measured under a protocol of sample sets."""

OF_BOUNDS = ("_bits_per_dim", "_subset_se")
"""The ends of the names of all other numbers of a model's bound."""

ERRORS = {
    "nll_bits_per_dim": "nll_se",
    "nll_train_bits_per_dim": "nll_train_se",
    "nll_gap_bits_per_dim": "nll_gap_se",
}
"""The columns of standard errors of the bound's totals, which have them instead of intervals."""

ROW = (*ROW_KEYS, "protocol")
"""The keys of a row. A sample set that is scored under two protocols has two rows."""


@dataclass(frozen=True)
class Shared:
    """Metrics that are recorded once for each combination of `keys`, and are shown in every row that has it.

    The cost of a sample set is shown in its rows under all protocols, a model's bound in the rows of its sample sets.
    """

    metrics: tuple[str, ...]
    keys: tuple[str, ...] = ROW_KEYS


def scores_of(records: Iterable[Mapping[str, Any]], always: Sequence[str], left_out: Sequence[str] = ()) -> list[str]:
    """Return the metrics that have columns in a table: some always, and after them all others that are recorded.

    left_out: metrics that have columns only if none of the table's other metrics is recorded.
    """
    recorded = dict.fromkeys(
        item["metric"] for item in records if item["metric"] not in NO_SCORES and not item["metric"].endswith(OF_BOUNDS)
    )
    others = [name for name in recorded if name not in always]
    known, own = (name for name in SCORES if name in others), sorted(name for name in others if name not in SCORES)
    found = [*known, *own]
    kept = [name for name in found if name not in left_out]
    return [*always, *(kept if kept or any(name in recorded for name in always) else found)]


def columns_of(metrics: Sequence[str]) -> list[str]:
    """Return the columns of metrics: for each its value and the ends of its interval."""
    return [f"{metric}{end}" for metric in metrics for end in ("", "_low", "_high")]


def pivot(records: Iterable[Mapping[str, Any]], scores: Sequence[str], *shared: Shared) -> list[dict[str, Any]]:
    """Return a row for each sample set and protocol that has one of the scores, with the shared metrics in it.

    Each metric has three cells: its value, and its interval in `_low` and `_high`. Other metrics are left out.
    Raises: UserError if two records differ on the same cell.
    """
    rows: dict[tuple, dict[str, Any]] = {}
    beside: list[dict[tuple, dict[str, Any]]] = [{} for _ in shared]
    for item in records:
        if item["metric"] in scores:
            place = _place(item, (*ROW, NUMERICS))
            _put(rows.setdefault(place, {key: item[key] for key in ROW}), item)
        for group, cells in zip(shared, beside, strict=True):
            if item["metric"] in group.metrics:
                _put(cells.setdefault(_place(item, group.keys), {}), item)
    for row in rows.values():
        for group, cells in zip(shared, beside, strict=True):
            own = cells.get(_place(row, group.keys), {})
            row |= own | _joined(row.get(NUMERICS), own.get(NUMERICS))
    return list(rows.values())


def _joined(one: str | None, other: str | None) -> dict[str, str]:
    """Return how the networks of a row computed, if some record of it says so, stage by stage."""
    stages = dict.fromkeys(part for said in (one, other) if said for part in said.split(", "))
    return {NUMERICS: ", ".join(stages)} if stages else {}


def _place(item: Mapping[str, Any], keys: Sequence[str]) -> tuple:
    return tuple(item.get(key) if key == NUMERICS else item[key] for key in keys)


def _put(cells: dict[str, Any], item: Mapping[str, Any]) -> None:
    metric = item["metric"]
    fill(cells, metric, item["value"], item)
    cells |= {f"{metric}_low": item["low"], f"{metric}_high": item["high"]}
    cells |= _joined(cells.get(NUMERICS), item.get(NUMERICS))


def fill(cells: dict[str, Any], metric: str, value: float, item: Mapping[str, Any]) -> None:
    """Put a record's value into a row's cells. Raises: UserError if the cell has another value."""
    # Equal repeats are harmless: a sample set that is scored under two protocols has two records of its cost.
    # NaN, the score of samples that are no images, is equal to itself here.
    known = cells.get(metric, value)
    if known != value and not (math.isnan(known) and math.isnan(value)):
        where = ", ".join(
            f"{key} {item[key]}" for key in ("model", "sampler", "steps", "train_seed") if item[key] is not None
        )
        raise UserError(f"two values of {metric} for {where}; remove the score file that is wrong")
    cells[metric] = value


def standard_error(low: float, high: float) -> float:
    """Return the standard error of a 95 % interval of a normal distribution."""
    return (high - low) / (2 * NORMAL_95)


def ordered(rows: list[dict[str, Any]], numbers: Sequence[str] = ("guidance_scale", "steps")) -> list[dict[str, Any]]:
    """Return the rows with `real` first, models and samplers in the order of the records, and numbers ascending."""
    first_seen = {
        key: {name: place for place, name in enumerate(dict.fromkeys(row[key] for row in rows))}
        for key in ("benchmark", "model", "sampler", "protocol")
    }

    def place(row: dict[str, Any]) -> tuple:
        values = (row[key] or 0 for key in (*numbers, "train_seed", "sample_seed", "num_images"))
        named = (first_seen[key][row[key]] for key in ("model", "sampler"))
        return (
            first_seen["benchmark"][row["benchmark"]],
            row["model"] != REAL,
            *named,
            *values,
            row["protocol"] or "",
        )

    return sorted(rows, key=place)


def framed(rows: list[dict[str, Any]], columns: Sequence[str]) -> pandas.DataFrame:
    """Return the rows as a data frame; cells without a value are missing values.

    After the protocol comes how the networks computed, if not all of them did so by default.
    """
    if any(NUMERICS in row for row in rows):
        place = list(columns).index("protocol") + 1 if "protocol" in columns else len(columns)
        columns = [*columns[:place], NUMERICS, *columns[place:]]
    frame = pandas.DataFrame(rows, columns=list(columns))
    for name in columns:
        if name in TEXT:
            continue
        numbers = pandas.Series(pandas.to_numeric(frame[name]), dtype="Float64")
        whole = name in WHOLE and numbers.dropna().mod(1).eq(0).all()
        frame[name] = numbers.astype("Int64") if whole else numbers.astype("float64")
    return frame
