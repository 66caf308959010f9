"""Is one row of a benchmark better than another? Finds both in a folder of results and compares what compares.

A row is named model/sampler/steps as in the folders of results; `real` and scores of a model itself (bits/dim) need the
model alone. More may be said with key=value: iddpm/ddim/25/train_seed=0.
"""

import csv
import dataclasses
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

from diffbench.base.artifacts import checked
from diffbench.base.errors import UserError
from diffbench.base.plugins import load, names, nearest
from diffbench.base.records import NORMAL_95, ROW_KEYS, Estimate, read_records, record
from diffbench.base.verdicts import Verdict, paired

OF_A_MODEL = ("nll_bits_per_dim", "rate_bits_per_dim", "distortion_bits_per_dim", "distortion_rmse")
"""Scores of a model itself, lower is better, whatever samples it."""

PLACE = ("model", "sampler", "steps")
SEEDS = ("train_seed", "sample_seed")


def compare(results: Path, a: str, b: str, *, metrics: Sequence[str], varies: Sequence[str] = ()) -> str:
    """Return the verdicts on two rows as text.

    results: a folder of results, a file of scores (.json) or a table (.csv). varies: fields of the protocol, or of the
    row, that differ by design. Raises: UserError where a row is not there, or the two do not compare.
    """
    records = records_of(results)
    return "\n".join(_told(a, b, metric, compared(records, a, b, metric, varies)) for metric in metrics)


def compared(
    records: Sequence[Mapping[str, Any]],
    a: str,
    b: str,
    metric: str,
    varies: Sequence[str] = (),
    differences: Mapping[tuple[Any, Any], Estimate] | None = None,
) -> Verdict:
    """Return the verdict on two rows among tidy records; differences: as `paired` takes them.

    Raises: UserError as `compare`.
    """
    higher_is_better = _higher_is_better(metric)
    measured = [item for item in records if item["metric"] == metric]
    if not measured:
        raise UserError(f"no scores of '{metric}'; {nearest(metric, {item['metric'] for item in records})}")
    one, other = (_selected(measured, selector, metric) for selector in (a, b))
    _require_one_protocol(one[0], other[0], metric, varies)
    return paired(one, other, higher_is_better=higher_is_better, differences=differences)


def records_of(results: Path) -> list[dict[str, Any]]:
    """Return the records below a folder of results, of a file of scores, or of a table.

    Raises: UserError where there are none.
    """
    if results.suffix == ".csv":
        return _of_table(results)
    if results.is_dir():
        folder = results / "scores" if (results / "scores").is_dir() else results
        paths = sorted(path for path in folder.rglob("*.json") if not path.name.endswith(".json.json"))
        if not paths:
            raise UserError(f"{results}: no scores below it; run the benchmark first, or name its folder of results")
    else:
        paths = [results]
    found = read_records(paths)
    # Scores that somebody sent come without a record.
    checked({str(path): path for path in paths}, foreign=list(map(str, paths)))
    for item in found:
        missing = {*ROW_KEYS, "metric", "protocol", "value", "low", "high", "covers"} - set(item)
        if missing:
            raise UserError(f"{results}: a record lacks {', '.join(sorted(missing))}; score again")
    return found


def protocol_fields(identity: str | None, metric: str) -> dict[str, str]:
    """Return the fields of a protocol id that concern a metric: not `recall.k` where precision is compared.

    A word without a value names the kind.
    """
    pairs = (part.partition("=") for part in (identity or "").split(";") if part)
    fields = {key if mark else "kind": value if mark else key for key, mark, value in pairs}
    return {key: value for key, value in fields.items() if key.partition(".")[0] == metric or "." not in key}


def _of_table(path: Path) -> list[dict[str, Any]]:
    try:
        with open(path, newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except (UnicodeDecodeError, csv.Error):
        raise UserError(f"{path}: not a table of scores: it is not CSV in UTF-8") from None
    checked({str(path): path}, foreign=[str(path)])
    missing = [key for key in (*ROW_KEYS, "protocol") if not rows or key not in rows[0]]
    if missing:
        raise UserError(f"{path}: not a table of scores, it lacks {', '.join(missing)}")
    found = []
    for row in rows:
        where = {key: _value(row[key]) for key in ROW_KEYS}
        for metric in (key.removesuffix("_low") for key in row if key and key.endswith("_low")):
            if row.get(metric):
                estimate = Estimate(*(_number(path, row, f"{metric}{end}") for end in ("", "_low", "_high")))
                found.append(record(where, metric, row["protocol"], estimate))
        if row.get("nll_bits_per_dim"):
            own = {**where, "sampler": None, "steps": None, "sample_seed": None}
            margin = NORMAL_95 * _number(path, row, "nll_se")
            value = _number(path, row, "nll_bits_per_dim")
            # A model's own score stands in each of its rows; its protocol is not in the table.
            item = record(own, "nll_bits_per_dim", None, Estimate(value, value - margin, value + margin))
            found += [item] if item not in found else []
    return found


def _number(path: Path, row: Mapping[str, str | None], column: str) -> float:
    """Return a cell as a number. Raises: UserError naming the row and the column where it is none."""
    cell = row.get(column)
    try:
        number = float(cell or "")
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        place = "/".join(row[key] or "" for key in PLACE if row[key])
        raise UserError(f"{path}: {place}: {column} is {cell!r}, not a number; make the table again")
    return number


def _value(cell: str) -> Any:
    if not cell:
        return None
    try:
        return int(cell)
    except ValueError:
        try:
            return float(cell)
        except ValueError:
            return cell


def _higher_is_better(metric: str) -> bool:
    if metric in OF_A_MODEL:
        return False
    known = [name for name in names("metrics") if name != "bits_per_dim"]
    if metric not in known:
        raise UserError(f"no metric '{metric}'; {nearest(metric, [*known, *OF_A_MODEL])}")
    return load("metrics", metric).higher_is_better


def _selected(measured: Sequence[Mapping[str, Any]], selector: str, metric: str) -> list[Mapping[str, Any]]:
    """Return the records of one row, which differ in their seeds alone."""
    wanted = _wanted(selector, metric)
    # One set scored under two entries with one id has each score twice, and it is the same score.
    alike = {tuple(sorted(item.items(), key=itemgetter(0))): item for item in measured}.values()
    found = [item for item in alike if all(_is(item[key], value) for key, value in wanted.items())]
    if not found:
        known = {"/".join(str(item[key]) for key in PLACE if item[key] is not None) for item in measured}
        place = "/".join(value for key, value in wanted.items() if key in PLACE)
        if place in known:
            raise UserError(f"no {metric} of '{selector}'; there is {place}, but not with these keys")
        raise UserError(f"no {metric} of '{selector}'; {nearest(place, known)}")
    rest = [key for key in (*ROW_KEYS, "protocol") if key not in SEEDS and len({item[key] for item in found}) > 1]
    if rest:
        values = sorted({str(item[rest[0]]) for item in found})
        raise UserError(f"'{selector}' is more than one row; add {' or '.join(f'{rest[0]}={v}' for v in values)}")
    twice = [
        seeds for seeds, count in Counter(tuple(item[key] for key in SEEDS) for item in found).items() if count > 1
    ]
    if twice:
        raise UserError(f"two scores of {metric} for '{selector}', train and sample seed {twice[0]}; remove one")
    return found


def _is(held: Any, written: str) -> bool:
    """Whether a row's value is what a selector says: 1.0 may be written 1."""
    return str(held) == written or (isinstance(held, float) and held == _value(written))


def _wanted(selector: str, metric: str) -> dict[str, str]:
    parts = selector.split("/")
    # A protocol's id has `=` in it, and may have `/`: it ends the selector.
    start = next((i for i, part in enumerate(parts) if "=" in part), len(parts))
    plain, keyed = parts[:start], "/".join(parts[start:])
    if not plain or len(plain) > len(PLACE) or not all(plain):
        raise UserError(f"'{selector}' is no row; write model/sampler/steps, for example iddpm/ddim/25")
    if metric in OF_A_MODEL:
        plain = plain[:1]
    wanted = dict(zip(PLACE, plain, strict=False))
    # As folders of results name a model at a scale of a sweep.
    wanted["model"], at, scale = wanted["model"].partition("@")
    wanted |= {"guidance_scale": scale} if at else {}
    while keyed:
        key, _, value = keyed.partition("=")
        if key not in (*ROW_KEYS, "protocol"):
            raise UserError(f"'{selector}': no key '{key}'; {nearest(key, (*ROW_KEYS, 'protocol'))}")
        value, keyed = (value, "") if key == "protocol" else (value.partition("/")[0], value.partition("/")[2])
        wanted[key] = value
    return wanted


def _require_one_protocol(a: Mapping[str, Any], b: Mapping[str, Any], metric: str, varies: Iterable[str]) -> None:
    """Raise UserError with the fields in which two protocols differ, but for those that vary by design."""
    one, other = ({"benchmark": item["benchmark"], **protocol_fields(item["protocol"], metric)} for item in (a, b))
    fields = [*one, *(key for key in other if key not in one)]
    for field in varies:
        if field not in fields:
            raise UserError(f"the protocol has no field '{field}'; {nearest(field, fields)}")
    for field in fields:
        if one.get(field) != other.get(field) and field not in varies:
            raise UserError(
                f"not comparable: {field} ({one.get(field, 'absent')} against {other.get(field, 'absent')}); "
                f"where it differs by design, say --varies {field}"
            )


def _told(a: str, b: str, metric: str, verdict: Verdict) -> str:
    direction = "higher" if _higher_is_better(metric) else "lower"
    outcome = f"{a} is {verdict.outcome} than {b}"
    if verdict.outcome == "not resolved":
        outcome = f"{a} against {b} is not resolved"
    width = max(len(a), len(b), len("difference"))
    sides = ((a, verdict.a), (b, verdict.b), ("difference", verdict.difference))
    lines = [f"{metric} ({direction} is better): {outcome}"]
    lines += [f"  {name:<{width}}  {_written(estimate, verdict)}" for name, estimate in sides]
    lines.append(f"  95 %, {verdict.method}; covers {verdict.difference.covers}")
    return "\n".join(lines)


def _written(estimate: Estimate, verdict: Verdict) -> str:
    """Return the numbers with the decimals that the difference's interval resolves."""
    half_width = (verdict.difference.high - verdict.difference.low) / 2
    decimals = max(0, 2 - math.floor(math.log10(half_width))) if half_width > 0 else 4
    value, low, high = (f"{number:.{decimals}f}" for number in dataclasses.astuple(estimate)[:3])
    return f"{value}  ({low} to {high})"
