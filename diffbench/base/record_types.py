"""The types of what records of artifacts and of scores hold, and their check before anything relies on them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diffbench.base.errors import UserError
from diffbench.base.plugins import coerced, is_list

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
SPEC: Mapping[str, Any] = {
    **dict.fromkeys(("network", "diffusion", "objective", "training", "sampler", "dataset", "extractor"), Map),
    "weights": str,
}
FACTS: Mapping[str, Any] = {
    "shape": tuple[int, int, int],
    "full_size": tuple[int, int],
    "enlarged_to": tuple[int, int],
    **dict.fromkeys(("levels", "num_images", "of", "low_size", "parameters", "ssim_window"), int),
    **dict.fromkeys(("flops_per_evaluation", "flops_per_classifier_evaluation"), int),
    "num_classes": int | None,
    "flip": bool,
    **dict.fromkeys(("nfe", "nfe_max", "nfe_evaluated", "classifier_evaluations", "held_out_accuracy"), float),
    **dict.fromkeys(("histogram_bits_per_dim", "uniform_bits_per_dim"), float | None),
    **dict.fromkeys(("resize", "split", "trained_on", "weights_sha256"), str),
    "images_sha256": str | None,
    **dict.fromkeys(("given", "low_res"), Map | None),
}
"""The types of those `facts` that are read again."""

POSITIVE = ("shape", "full_size", "levels", "num_images", "low_size", "num_classes")

SCORE: Mapping[str, Any] = {
    **dict.fromkeys(("benchmark", "metric", "covers"), str),
    **dict.fromkeys(("model", "sampler", "protocol"), str | None),
    **dict.fromkeys(("steps", "train_seed", "sample_seed", "num_images"), int | None),
    "guidance_scale": float | None,
}
"""The types in a tidy record, except for its value and interval, which are numbers and may be infinite or NaN."""


MOST = 10**300
"""Whole numbers below it can be converted to floats."""


def require_provenance(content: Mapping[str, Any], source: Path) -> None:
    """Raise UserError if a value in a provenance does not have the type that stages write."""
    _require({key: content[key] for key in PROVENANCE if key in content}, PROVENANCE, f"{source}: ")
    spec = content.get("spec", {})
    _require({key: spec[key] for key in SPEC if key in spec}, SPEC, f"{source}: spec.")
    if "facts" not in content:
        return
    facts = {key: content["facts"][key] for key in FACTS if key in content["facts"]}
    _require(facts, FACTS, f"{source}: facts.")
    for key in POSITIVE:
        values = facts.get(key)
        if values is not None and min(values if is_list(values) else [values]) < 1:
            raise UserError(f"{source}: facts.{key}: {values!r} is not positive")
    if facts.get("low_res"):
        require_provenance({"facts": facts["low_res"]}, source)


def require_score(record: Mapping[str, Any], source: Path) -> None:
    """Raise UserError if a tidy record lacks a key, or a value does not have the type that `record` writes."""
    for key in (*SCORE, "value", "low", "high"):
        if key not in record:
            raise UserError(f"{source}: a record lacks {key}; not a file of scores")
    _require({key: record[key] for key in SCORE}, SCORE, f"{source}: a record's ")
    for key in ("value", "low", "high"):
        number = record[key]
        if isinstance(number, bool) or not (
            isinstance(number, float) or isinstance(number, int) and abs(number) < MOST
        ):
            raise UserError(f"{source}: a record's {key}: {str(number)[:80]!r} is not a number")


def _require(held: Mapping[str, Any], types: Mapping[str, Any], where: str) -> None:
    for key, value in held.items():
        coerced(value, types[key], f"{where}{key}")
