"""The ablation table: scores of each combination of parameterisation, objective, variance and schedule.

Ho et al. 2020, table 2; Nichol and Dhariwal 2021, tables 1 and 2.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from statistics import fmean, stdev
from typing import Any, ClassVar

import pandas
from scipy.special import stdtrit

from diffbench.base.names import REAL
from diffbench.base.records import FEWEST_SEEDS, NORMAL_95
from diffbench.base.sheets import METRICS, View
from diffbench.tables._rows import columns_of, framed, ordered, scores_of

SCORES = ("fid", "inception_score")
"""Metrics that have columns in every table; each has an interval."""

CHOICES = ("parameterization", "objective", "t_drawn", "variance", "schedule", "timesteps")
"""The columns in which the models differ."""

KEYS = (
    *("benchmark", "model", *CHOICES, "nll_bits_per_dim", "nll_se", "nll_train_seeds"),
    *("sampler", "steps", "train_seeds", "num_images", "protocol"),
)

COLUMNS = (*KEYS, *columns_of(SCORES))
"""The columns that every such table has; those of other metrics come after those of SCORES."""

IDENTITY = ("benchmark", "model", "sampler", "steps", "num_images", "protocol")
Records = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Table3:
    """One row for each unguided model, sampler and number of steps, averaged over seeds, with `real` first.

    models: {model: {column: value}} for the columns `CHOICES`, which are in no record.
    """

    models: dict[str, dict[str, str]] = field(default_factory=dict)

    consumes: ClassVar[str] = "records"
    view: ClassVar[View] = View(
        title="The effect of each choice in a model",
        columns=(
            *("benchmark", "model", *CHOICES, "sampler", "steps", "train_seeds", "num_images", "protocol"),
            *(METRICS, "nll_bits_per_dim"),
        ),
        if_varied=("benchmark", *CHOICES, "train_seeds", "num_images", "protocol"),
        beside=("kid", "classified", "classification_accuracy"),
        covers="over training seeds if there are three or more, otherwise over images",
    )

    def __call__(self, records: Iterable[Mapping[str, Any]]) -> pandas.DataFrame:
        """Return the table; records of guided samples are left out."""
        return table3(records, self.models)


def table3(records: Iterable[Mapping[str, Any]], models: Mapping[str, Mapping[str, str]]) -> pandas.DataFrame:
    """Return the table of tidy records; cells without a record are missing values.

    Its columns: KEYS, and three for each metric of SCORES and for every other one that is recorded. A number is the
    mean over training seeds. With three seeds or more, its interval is Student's over seeds, which covers training too.
    With fewer seeds it covers sampling alone. nll_se covers test images, and with three seeds or more also training.
    """
    unguided = _once(item for item in records if item["guidance_scale"] is None)
    metrics = scores_of(unguided, SCORES)
    scores: dict[tuple, dict[str, list[Mapping[str, Any]]]] = {}
    bounds: dict[tuple, list[Mapping[str, Any]]] = {}
    for item in unguided:
        if item["metric"] in metrics:
            row = scores.setdefault(tuple(item[key] for key in IDENTITY), {})
            row.setdefault(item["metric"], []).append(item)
        elif item["metric"] == "nll_bits_per_dim":
            bounds.setdefault((item["benchmark"], item["model"]), []).append(item)
    rows = []
    for place, measured in scores.items():
        row: dict[str, Any] = {
            **dict(zip(IDENTITY, place, strict=True)),
            **dict.fromkeys(("guidance_scale", "train_seed", "sample_seed")),
        }
        row |= models.get(row["model"], {})
        if row["model"] != REAL:
            row["train_seeds"] = max(len(_by_train_seed(items)) for items in measured.values())
        for metric, items in measured.items():
            row |= dict(zip((metric, f"{metric}_low", f"{metric}_high"), _interval(items), strict=True))
        own = bounds.get((row["benchmark"], row["model"]), [])
        if own:
            row |= {"nll_bits_per_dim": fmean(item["value"] for item in own), "nll_se": _standard_error(own)}
            row["nll_train_seeds"] = len(own)
        rows.append(row)
    return framed(ordered(rows), [*KEYS, *columns_of(metrics)])


def _once(records: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return records without repeats: a set that is scored under two entries with one protocol id has each score twice.

    Repeats are not independent, so that their mean would have too small an interval.
    """
    return list({tuple(sorted(item.items(), key=itemgetter(0))): item for item in records}.values())


def _by_train_seed(items: Records) -> list[list[Mapping[str, Any]]]:
    """Return the records of each training seed, one for each of its sample sets."""
    groups: dict[Any, list[Mapping[str, Any]]] = {}
    for item in items:
        groups.setdefault(item["train_seed"], []).append(item)
    return list(groups.values())


def _interval(items: Records) -> tuple[float, float, float]:
    groups = _by_train_seed(items)
    values = [fmean(item["value"] for item in group) for group in groups]
    mean = fmean(values)
    if not math.isfinite(mean):
        return mean, math.nan, math.nan
    if len(values) >= FEWEST_SEEDS:
        margin = float(stdtrit(len(values) - 1, 0.975)) * stdev(values) / math.sqrt(len(values))
        return mean, mean - margin, mean + margin
    # Sample sets are independent, so the squares of their errors add up, each weighted by its share of the mean.
    share = {id(item): 1 / (len(groups) * len(group)) for group in groups for item in group}
    low, high = (
        math.hypot(*((item["value"] - item[end]) * share[id(item)] for item in items)) for end in ("low", "high")
    )
    return mean, mean - low, mean + high


def _standard_error(items: Records) -> float:
    images = fmean((item["high"] - item["low"]) / (2 * NORMAL_95) for item in items)
    if len(items) < FEWEST_SEEDS or not all(math.isfinite(item["value"]) for item in items):
        return images
    # The test images are the same for every seed, so their error does not shrink with the number of seeds. It is not
    # part of the spread over seeds either, so the two are added.
    return math.hypot(images, stdev(item["value"] for item in items) / math.sqrt(len(items)))
