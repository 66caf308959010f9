"""The types of what records of artifacts and of scores hold, and their check before anything relies on them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diffbench.base.errors import UserError
from diffbench.base.plugins import coerced

Map = dict[str, Any]

PROVENANCE: Mapping[str, Any] = {
    "artifact": str,
    "sha256": str,
    "inputs": dict[str, str],
    "spec": Map,
    "facts": Map,
    "versions": dict[str, str],
    "threads": int,
}
SCORE: Mapping[str, Any] = {
    **dict.fromkeys(("benchmark", "metric", "covers"), str),
    **dict.fromkeys(("model", "sampler", "protocol"), str | None),
    **dict.fromkeys(("steps", "train_seed", "sample_seed", "num_images"), int | None),
    "guidance_scale": float | None,
    "numerics": str | None,
}
"""The types in a tidy record, except for its value and interval, which are numbers and may be infinite or NaN. Only
records of networks that did not compute by default have `numerics`."""


MOST = 10**300
"""Whole numbers below it can be converted to floats."""


def require_provenance(content: Mapping[str, Any], source: Path) -> None:
    """Raise UserError if a value in a provenance does not have the type that stages write.

    What is inside `spec` and `facts` is checked by the classes of jobs and facts, when they are read.
    """
    _require({key: content[key] for key in PROVENANCE if key in content}, PROVENANCE, f"{source}: ")
    given = content.get("facts", {}).get("given", {})
    _require({"given": given}, {"given": Map | None}, f"{source}: facts.")


def require_score(record: Mapping[str, Any], source: Path) -> None:
    """Raise UserError if a tidy record lacks a key, or a value does not have the type that `record` writes."""
    for key in (*SCORE, "value", "low", "high"):
        if key not in record and key != "numerics":
            raise UserError(f"{source}: a record lacks {key}; not a file of scores")
    _require({key: record[key] for key in SCORE if key in record}, SCORE, f"{source}: a record's ")
    for key in ("value", "low", "high"):
        number = record[key]
        if isinstance(number, bool) or not (
            isinstance(number, float) or isinstance(number, int) and abs(number) < MOST
        ):
            raise UserError(f"{source}: a record's {key}: {str(number)[:80]!r} is not a number")


def _require(held: Mapping[str, Any], types: Mapping[str, Any], where: str) -> None:
    for key, value in held.items():
        coerced(value, types[key], f"{where}{key}")
