"""Is one row of a benchmark better than another? Finds both in a folder of results and compares what compares.

A row is named model/sampler/steps as in the folders of results; `real` and scores of a model itself (bits/dim) need the
model alone. More may be said with key=value: iddpm/ddim/25/train_seed=0. A file of scores that holds one row, as
`diffbench measure` writes it, is named by its path.
"""

import codecs
import csv
import dataclasses
import io
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any

from diffbench.base.errors import UserError
from diffbench.base.inputs import checked
from diffbench.base.plugins import load, names, nearest
from diffbench.base.provenance_file import read_recorded
from diffbench.base.records import NORMAL_95, ROW_KEYS, Estimate, read_records, record
from diffbench.comparison.verdicts import Verdict, paired

OF_A_MODEL = ("nll_bits_per_dim", "rate_bits_per_dim", "distortion_bits_per_dim", "distortion_rmse")
"""Scores of a model itself, lower is better, whatever samples it."""

NUMBERS = ("value", "low", "high")

PLACE = ("model", "sampler", "steps")
SEEDS = ("train_seed", "sample_seed")


Tables = tuple[frozenset[str], ...]
"""The tables of a tree, each as the hashes of the scores that it was made from."""


class Sourced(dict[str, Any]):
    """A record that knows its file, that file's hash and, where it lies in a tree with tables of scores, these."""

    source: Path | None = None
    sha256: str = ""
    tables: Tables = ()


def compare(results: Path | None, a: str, b: str, *, metrics: Sequence[str], varies: Sequence[str] = ()) -> str:
    """Return the verdicts on two rows as text.

    a, b: rows of `results`, or files of scores (.json, .csv) that hold one row each. results: a folder of results, a
    file of scores or a table; None is `results`. varies: fields of the protocol, or of the row, that differ by design.
    Raises: UserError where a row is not there, or the two do not compare.
    """
    files = [side for side in (a, b) if _is_file(side)]
    if results is not None and len(files) == 2:
        raise UserError(f"--results {results}: has no effect where both rows are files; leave it out")
    if results is None and len(files) < 2 and not Path("results").exists():
        raise UserError("no folder 'results' here; name one by --results, or give two files of scores as the rows")
    of_results = records_of(results or Path("results")) if len(files) < 2 else []
    sides = [(side, records_of(Path(side)) if side in files else of_results) for side in (a, b)]
    told = []
    for metric in metrics:
        one, other = (_row(records, side, metric, whole=side in files) for side, records in sides)
        told.append(_told(a, b, metric, _judged(one, other, metric, varies)))
    return "\n".join(told)


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
    one, other = (_row(records, selector, metric) for selector in (a, b))
    return _judged(one, other, metric, varies, differences)


def records_of(results: Path) -> Sequence[dict[str, Any]]:
    """Return the records below a folder of results, of a file of scores, or of a table.

    Of a folder, `scores` where it has one; hidden folders, such as caches, and JSON of other kinds are left alone.
    Raises: UserError where there are none, or a record is not one.
    """
    if results.suffix.lower() == ".csv":
        return _of_table(results)
    paths = _files_of_scores(results) if results.is_dir() else [results]
    # A file that a person names is taken as it is; below a folder, the tables of its tree vouch for it or do not.
    known = _tables_of(paths) if results.is_dir() else {}
    found: list[Sourced] = []
    for path in paths:
        for item in read_records([path]):
            sourced = Sourced(item)
            sourced.source, sourced.tables = path, known.get(path, ())
            found.append(sourced)
    # Scores that somebody sent come without a record.
    inputs = checked({str(path): path for path in paths}, foreign=[str(path) for path in paths if path not in known])
    for item in found:
        item.sha256 = inputs.sha256[str(item.source)]
    return found


def _tables_of(paths: Sequence[Path]) -> dict[Path, Tables]:
    """Return, of files that lie in a tree with tables of scores, what its tables were made from.

    Files of other places are left out: scores alone, as a clone may have pulled them, or of no tree.
    Raises: UserError where the record of a table is damaged.
    """
    trees: dict[Path, Tables] = {}
    found = {}
    for path in paths:
        tree = _tree_of(path)
        if tree is not None and tree not in trees:
            trees[tree] = _tables(tree)
        if tree is not None and trees[tree]:
            found[path] = trees[tree]
    return found


def _tree_of(path: Path) -> Path | None:
    """Return the folder of results that a file of scores lies in: beside the table's, or apart, of a comparison."""
    for folder in path.absolute().parents:
        if folder.name == "scores":
            apart = folder.parent.parent.name == "compared"
            return folder.parents[2] if apart else folder.parent
    return None


def _tables(tree: Path) -> Tables:
    sources = [*tree.glob("*.csv.json"), *tree.glob("compared/*/table.csv.json")]
    recorded = [read_recorded(source) for source in sorted(sources)]
    of_scores = [made for made in recorded if (made["facts"].get("given") or {}).get("scores")]
    return tuple(frozenset(made["inputs"].values()) for made in of_scores)


def _files_of_scores(results: Path) -> list[Path]:
    folder = results / "scores" if (results / "scores").is_dir() else results
    found = []
    for path in sorted(folder.rglob("*.json")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not hidden and not path.name.endswith(".json.json") and (folder != results or _may_hold_scores(path)):
            found.append(path)
    if not found:
        raise UserError(f"{results}: no scores below it; run the benchmark first, or name its folder of results")
    return found


def _may_hold_scores(path: Path) -> bool:
    """Return whether a file in a folder of many things is one of scores, or damaged so that nobody can tell."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        return True
    return isinstance(content, dict) and "records" in content


def protocol_fields(identity: str | None, metric: str) -> dict[str, str]:
    """Return the fields of a protocol id that concern a metric: not `recall.k` where precision is compared.

    A word without a value names the kind.
    """
    pairs = (part.partition("=") for part in (identity or "").split(";") if part)
    fields = {key if mark else "kind": value if mark else key for key, mark, value in pairs}
    return {key: value for key, value in fields.items() if key.partition(".")[0] == metric or "." not in key}


def _of_table(path: Path) -> list[dict[str, Any]]:
    rows = _rows(path)
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
                _require_within(path, row, metric, estimate)
                found.append(record(where, metric, row["protocol"], estimate))
        if row.get("nll_bits_per_dim"):
            own = {**where, "sampler": None, "steps": None, "sample_seed": None}
            margin = NORMAL_95 * _number(path, row, "nll_se")
            value = _number(path, row, "nll_bits_per_dim")
            # A model's own score stands in each of its rows; its protocol is not in the table.
            item = record(own, "nll_bits_per_dim", None, Estimate(value, value - margin, value + margin))
            found += [item] if item not in found else []
    return found


def _rows(path: Path) -> list[dict[str, str | None]]:
    """Return a table's rows as texts, of CSV as it is written here or by a spreadsheet.

    A spreadsheet may put a byte order mark before the head, and semicolons or tabs between cells; the numbers then have
    decimal commas, which become points. Raises: UserError where cells cannot be told apart.
    """
    text = _text(path)
    delimiter = _delimiter(text.split("\n", 1)[0])
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
        rows, head = list(reader), reader.fieldnames or []
    except csv.Error as error:
        raise UserError(f"{path}: not a table of scores: it is not CSV ({error})") from None
    twice = [name for name in head if name and head.count(name) > 1]
    if twice:
        raise UserError(f"{path}: two columns are named {twice[0]}; remove the one that is not meant")
    for number, row in enumerate(rows, start=1):
        # DictReader files the cells beyond the head under None.
        surplus = row.pop(None, [])  # type: ignore[call-overload]
        if surplus:
            raise UserError(
                f"{path}: row {number} has {len(surplus)} cells more than the head, so its numbers stand in wrong "
                f"columns; save the table with commas, or with quotes around cells that hold '{delimiter}'"
            )
    if delimiter == ",":
        return rows
    return [{key: _with_point(cell) for key, cell in row.items()} for row in rows]


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UserError(f"{path}: not a table of scores: it is UTF-16, which some spreadsheets write; save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{path}: not a table of scores: it is not CSV in UTF-8") from None


def _delimiter(head: str) -> str:
    for delimiter in (";", "\t"):
        if {"benchmark", "protocol"} <= {cell.strip(' "\r') for cell in head.split(delimiter)}:
            return delimiter
    return ","


def _with_point(cell: str | None) -> str | None:
    """Return a number with its decimal comma as a point, and everything else as it is."""
    return cell.replace(",", ".") if cell and re.fullmatch(r"[-+]?\d+,\d+([eE][-+]?\d+)?", cell.strip()) else cell


def _require_within(path: Path, row: Mapping[str, str | None], metric: str, estimate: Estimate) -> None:
    """Raise UserError where a number lies outside of its own interval: a spreadsheet took a point for a thousand."""
    if not estimate.low <= estimate.value <= estimate.high:
        raise UserError(
            f"{path}: {_place(row)}: {metric} is {estimate.value:g}, outside of its own interval {estimate.low:g} to "
            f"{estimate.high:g}; the table was changed, make it again"
        )


def _number(path: Path, row: Mapping[str, str | None], column: str) -> float:
    """Return a cell as a number. Raises: UserError naming the row and the column where it is none."""
    cell = row.get(column)
    try:
        number = float(cell or "")
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UserError(f"{path}: {_place(row)}: {column} is {cell!r}, not a number; make the table again")
    return number


def _place(row: Mapping[str, str | None]) -> str:
    return "/".join(row[key] or "" for key in PLACE if row[key])


def _value(cell: str | None) -> Any:
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


def _is_file(side: str) -> bool:
    """Whether a side is a file of scores; a set that was measured has its file's name as its label, too."""
    return Path(side).suffix.lower() in (".json", ".csv") and Path(side).is_file()


def _judged(
    one: Sequence[Mapping[str, Any]],
    other: Sequence[Mapping[str, Any]],
    metric: str,
    varies: Sequence[str],
    differences: Mapping[tuple[Any, Any], Estimate] | None = None,
) -> Verdict:
    _require_vouched([item for item in (*one, *other) if isinstance(item, Sourced)])
    _require_one_protocol(one[0], other[0], metric, varies)
    return paired(one, other, higher_is_better=_higher_is_better(metric), differences=differences)


def _require_vouched(records: Sequence[Sourced]) -> None:
    """Raise UserError where no table of a tree was made from all the scores that are compared.

    A run that was killed, or an entry that was taken out of the YAML, leaves scores of an older configuration beside
    new ones, each whole by itself.
    """
    for tables in {item.tables for item in records}:
        within = [item for item in records if item.tables == tables]
        most = max(tables, key=lambda table: sum(item.sha256 in table for item in within), default=None)
        for item in within:
            if most is not None and item.sha256 not in most:
                raise UserError(
                    f"{item.source}: no table of its tree was made from this file and the others that are compared, so "
                    "they may be of two configurations; run the benchmark to its end (the same snakemake command, with "
                    "this row among the YAML's runs), or compare samplers by --candidate and --baseline"
                )


def _row(
    records: Sequence[Mapping[str, Any]], selector: str, metric: str, *, whole: bool = False
) -> list[Mapping[str, Any]]:
    """Return the records of one row, which differ in their seeds alone; whole: of a file that must hold just one."""
    _higher_is_better(metric)
    measured = [item for item in records if item["metric"] == metric]
    if not measured:
        of = f" in {selector}" if whole else ""
        raise UserError(f"no scores of '{metric}'{of}; {nearest(metric, {item['metric'] for item in records})}")
    # One set scored under two entries with one id has each score twice, and it is the same score.
    alike = list({tuple(sorted(item.items(), key=itemgetter(0))): item for item in measured}.values())
    found = alike if whole else _selected(alike, selector, metric)
    rest = [key for key in (*ROW_KEYS, "protocol") if key not in SEEDS and len({item[key] for item in found}) > 1]
    if rest and whole:
        raise UserError(f"{selector}: holds more than one row; name the row, and the file by --results")
    if rest:
        values = sorted({str(item[rest[0]]) for item in found})
        raise UserError(f"'{selector}' is more than one row; add {' or '.join(f'{rest[0]}={v}' for v in values)}")
    _require_once(found, selector, metric)
    for item in found:
        odd = [key for key in NUMBERS if not math.isfinite(item[key])]
        if odd:
            raise UserError(f"{metric} of '{selector}': {odd[0]} is {item[odd[0]]}, no number to compare; score again")
    return found


def _selected(alike: Sequence[Mapping[str, Any]], selector: str, metric: str) -> list[Mapping[str, Any]]:
    """Return the records that a selector names."""
    named = [item for item in alike if item["model"] == selector]
    if named:
        return named
    wanted = _wanted(selector, metric)
    found = [item for item in alike if all(_is(item[key], value) for key, value in wanted.items())]
    if found:
        return found
    known = {"/".join(str(item[key]) for key in PLACE if item[key] is not None) for item in alike}
    place = "/".join(value for key, value in wanted.items() if key in PLACE)
    if place in known:
        raise UserError(f"no {metric} of '{selector}'; there is {place}, but not with these keys")
    if Path(selector).exists():
        raise UserError(f"no {metric} of '{selector}'; of what `diffbench measure` scored, name the file of scores")
    raise UserError(f"no {metric} of '{selector}'; {nearest(place, known)}")


def _require_once(found: Sequence[Mapping[str, Any]], selector: str, metric: str) -> None:
    """Raise UserError where a row has two scores of one metric on the same seeds, with the files that hold them."""
    by_seeds: dict[tuple[Any, Any], list[Mapping[str, Any]]] = {}
    for item in found:
        by_seeds.setdefault((item["train_seed"], item["sample_seed"]), []).append(item)
    for seeds, items in by_seeds.items():
        if len(items) < 2:
            continue
        files = [str(item.source) for item in items if isinstance(item, Sourced) and item.source]
        said = f"two scores of {metric} for '{selector}', train and sample seed {seeds}"
        if len(set(files)) > 1:
            raise UserError(f"{said}: in {files[0]} and {files[1]}; name the files themselves, or measure with --label")
        raise UserError(f"{said}; remove one")


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
