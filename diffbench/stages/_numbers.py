"""The few numbers of a benchmark that `dvc metrics show` and `dvc metrics diff` print, taken from table 2."""

from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean
from typing import Any

import pandas

from diffbench.base.names import REAL
from diffbench.stages._wide import FLOAT_FORMAT

BITS = "nll_bits_per_dim"
"""The column of a model's bound."""

SET = ("sampler", "steps", "guidance_scale", "num_images")
"""The columns that name a row of a model under one protocol, except for its seeds."""

Rows = Sequence[dict[Any, Any]]


def headline_numbers(frame: pandas.DataFrame) -> dict[str, dict[str, Any]]:
    """Return {model: {"fid": ..., "row": "ddim/25", "bits_per_dim": ...}} of table 2: the lowest FID and the row of it.

    The models are those that have a bound, so guided models and upsamplers are left out; if none has one, they are all
    models. FIDs of several seeds are averaged before the lowest is chosen, and so are bits per dimension. A number that
    is missing or NaN is left out.
    """
    rows = [row for row in frame.to_dict("records") if row["model"] != REAL]
    bounded = [row for row in rows if pandas.notna(row[BITS])]
    of_models: dict[str, list[dict[Any, Any]]] = defaultdict(list)
    for row in bounded or rows:
        of_models[row["model"]].append(row)
    return {name: _lowest_fid(own) | _bits_per_dim(own) for name, own in of_models.items()}


def _lowest_fid(rows: Rows) -> dict[str, Any]:
    """Return the lowest FID of a model under its first protocol, because FIDs under two protocols do not compare."""
    scored = [row for row in rows if pandas.notna(row["fid"])]
    of_seeds: dict[tuple[Any, ...], list[float]] = defaultdict(list)
    for row in scored:
        if row["protocol"] == scored[0]["protocol"]:
            of_seeds[tuple(row[key] if pandas.notna(row[key]) else None for key in SET)].append(row["fid"])
    if not of_seeds:
        return {}
    means = {place: fmean(fids) for place, fids in of_seeds.items()}
    best = min(means, key=means.__getitem__)
    return {"fid": _rounded(means[best]), "row": _named(*best[:3])}


def _named(sampler: str, steps: float | None, scale: float | None) -> str:
    steps_part = "" if steps is None else f"/{steps:g}"
    scale_part = "" if scale is None else f", guidance {scale:g}"
    return f"{sampler}{steps_part}{scale_part}"


def _bits_per_dim(rows: Rows) -> dict[str, float]:
    of_seeds = {row["train_seed"]: row[BITS] for row in rows if pandas.notna(row[BITS])}
    return {"bits_per_dim": _rounded(fmean(of_seeds.values()))} if of_seeds else {}


def _rounded(value: float) -> float:
    return float(FLOAT_FORMAT % value)
