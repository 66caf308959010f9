"""The search for one row in records of scores, by the name that the user gives.

A row is named model/sampler/steps as in the folders of results. For `real` and for scores of a model itself (bits/dim)
the model is enough. More can be added as key=value: iddpm/ddim/25/train_seed=0. A file of scores with a single row,
such as `diffbench measure` writes, is named by its path.
"""

import math
from collections.abc import Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

from diffbench.base.errors import UserError
from diffbench.base.plugins import nearest
from diffbench.base.records import NAMING_KEYS, NUMERICS, ROW_KEYS, SEEDS
from diffbench.comparison.metrics import OF_A_MODEL, higher_is_better, nearest_metric
from diffbench.comparison.sources import Sourced
from diffbench.comparison.table_file import value_of

NUMBERS = ("value", "low", "high")

KEYS = (*ROW_KEYS, "protocol", NUMERICS)
"""What a selector may say of a row."""


def row_named(
    records: Sequence[Mapping[str, Any]], selector: str, metric: str, *, whole: bool = False
) -> list[Mapping[str, Any]]:
    """Return the records of one row, which differ only in their seeds.

    whole: the records come from one file, `selector`, which must hold a single row. Raises: UserError.
    """
    higher_is_better(metric)
    measured = [item for item in records if item["metric"] == metric]
    if not measured:
        of = f" in {selector}" if whole else ""
        raise UserError(f"no scores of '{metric}'{of}; {nearest_metric(metric, {item['metric'] for item in records})}")
    # A set that is scored under two entries with the same protocol id has each score twice; the two are equal.
    alike = list({tuple(sorted(item.items(), key=itemgetter(0))): item for item in measured}.values())
    found = alike if whole else _selected(alike, selector, metric)
    rest = [key for key in KEYS if key not in SEEDS and len({item.get(key) for item in found}) > 1]
    if rest and whole:
        raise UserError(f"{selector}: holds more than one row; name the row, and the file by --results")
    if rest:
        values = sorted({str(item[rest[0]]) for item in found})
        raise UserError(f"'{selector}' is more than one row; add {' or '.join(f'{rest[0]}={v}' for v in values)}")
    _require_once(found, selector, metric)
    for item in found:
        odd = [key for key in NUMBERS if not math.isfinite(item[key])]
        if odd:
            raise UserError(
                f"{metric} of '{selector}': {odd[0]} is {item[odd[0]]}, not a number to compare; score again"
            )
    return found


def _selected(alike: Sequence[Mapping[str, Any]], selector: str, metric: str) -> list[Mapping[str, Any]]:
    """Return the records that a selector names."""
    named = [item for item in alike if item["model"] == selector]
    if named:
        return named
    wanted = _wanted(selector, metric)
    found = [item for item in alike if all(_is(item.get(key), value) for key, value in wanted.items())]
    if found:
        return found
    known = {"/".join(str(item[key]) for key in NAMING_KEYS if item[key] is not None) for item in alike}
    place = "/".join(value for key, value in wanted.items() if key in NAMING_KEYS)
    if place in known:
        raise UserError(f"no {metric} of '{selector}'; there is {place}, but not with these keys")
    if Path(selector).exists():
        raise UserError(
            f"no {metric} of '{selector}'; to compare what `diffbench measure` scored, name its file of scores"
        )
    raise UserError(f"no {metric} of '{selector}'; {nearest(place, known)}")


def _require_once(found: Sequence[Mapping[str, Any]], selector: str, metric: str) -> None:
    """Raise UserError if a row has two scores of one metric on the same seeds, with the files that hold them."""
    by_seeds: dict[tuple[Any, Any], list[Mapping[str, Any]]] = {}
    for item in found:
        by_seeds.setdefault((item["train_seed"], item["sample_seed"]), []).append(item)
    for seeds, items in by_seeds.items():
        if len(items) < 2:
            continue
        files = [str(item.source) for item in items if isinstance(item, Sourced) and item.source]
        said = f"two scores of {metric} for '{selector}', train and sample seed {seeds}"
        if len(set(files)) > 1:
            raise UserError(f"{said}: in {files[0]} and {files[1]}; name the files themselves, or measure with --name")
        raise UserError(f"{said}; remove one")


def _is(held: Any, written: str) -> bool:
    """Return whether a row's value is what a selector says; 1.0 may be written as 1."""
    return str(held) == written or (isinstance(held, float) and held == value_of(written))


def _wanted(selector: str, metric: str) -> dict[str, str]:
    parts = selector.split("/")
    # A protocol's id contains `=` and may contain `/`, so it must be the end of the selector.
    start = next((i for i, part in enumerate(parts) if "=" in part), len(parts))
    plain, keyed = parts[:start], "/".join(parts[start:])
    if not plain or len(plain) > len(NAMING_KEYS) or not all(plain):
        raise UserError(f"'{selector}' is not a row; write model/sampler/steps, for example iddpm/ddim/25")
    if metric in OF_A_MODEL:
        plain = plain[:1]
    wanted: dict[str, str] = dict(zip(NAMING_KEYS, plain, strict=False))
    # Folders of results have names such as model@2.0 for a model at one of several guidance scales.
    wanted["model"], at, scale = wanted["model"].partition("@")
    wanted |= {"guidance_scale": scale} if at else {}
    while keyed:
        key, _, value = keyed.partition("=")
        if key not in KEYS:
            raise UserError(f"'{selector}': no key '{key}'; {nearest(key, KEYS)}")
        value, keyed = (value, "") if key == "protocol" else (value.partition("/")[0], value.partition("/")[2])
        wanted[key] = value
    return wanted
