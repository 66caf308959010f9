"""The command: the comparison of two rows, or of two files with one row each, as text."""

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

from diffbench.base.errors import UserError
from diffbench.base.records import Estimate
from diffbench.comparison.judged import judged
from diffbench.comparison.metrics import higher_is_better
from diffbench.comparison.rows import row_named
from diffbench.comparison.sources import records_of
from diffbench.comparison.verdicts import Verdict


def compare(results: Path | None, a: str, b: str, *, metrics: Sequence[str], varies: Sequence[str] = ()) -> str:
    """Return the verdicts on two rows as text.

    a, b: rows of `results`, or files of scores (.json, .csv) that hold one row each. results: a folder of results, a
    file of scores or a table; None for the folder `results`. varies: fields of the protocol, or of the row, that differ
    by design. Raises: UserError if a row does not exist, or the two cannot be compared.
    """
    files = [side for side in (a, b) if _is_file(side)]
    if results is not None and len(files) == 2:
        raise UserError(f"--results {results}: has no effect if both rows are files; leave it out")
    if results is None and len(files) < 2 and not Path("results").exists():
        raise UserError("no folder 'results' here; name one by --results, or give two files of scores as the rows")
    of_results = records_of(results or Path("results")) if len(files) < 2 else []
    sides = [(side, records_of(Path(side)) if side in files else of_results) for side in (a, b)]
    told = []
    for metric in metrics:
        one, other = (row_named(records, side, metric, whole=side in files) for side, records in sides)
        told.append(_told(a, b, metric, judged(one, other, metric, varies)))
    return "\n".join(told)


def _is_file(side: str) -> bool:
    """Return whether a side is a file of scores. A measured set's label may look like a file's name too."""
    return Path(side).suffix.lower() in (".json", ".csv") and Path(side).is_file()


def _told(a: str, b: str, metric: str, verdict: Verdict) -> str:
    direction = "higher" if higher_is_better(metric) else "lower"
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
    """Return a number and its interval, with as many decimals as the difference's interval resolves."""
    half_width = (verdict.difference.high - verdict.difference.low) / 2
    decimals = max(0, 2 - math.floor(math.log10(half_width))) if half_width > 0 else 4
    value, low, high = (f"{number:.{decimals}f}" for number in dataclasses.astuple(estimate)[:3])
    return f"{value}  ({low} to {high})"
