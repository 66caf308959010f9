"""The command: the comparison of two rows, or of two files with one row each, as verdicts that print as text."""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffbench.base.errors import UserError
from diffbench.base.provenance_file import RESULTS
from diffbench.base.records import Estimate
from diffbench.commands.missing import way_to
from diffbench.comparison.judged import judged
from diffbench.comparison.metrics import ideal_of, metric_named, what_is_better
from diffbench.comparison.rows import row_named
from diffbench.comparison.sources import records_of
from diffbench.comparison.verdicts import Verdict


@dataclass(frozen=True)
class Comparison(Verdict):
    """The verdict on two rows by one metric. names: the two rows as they were asked for. As text it is a few lines."""

    metric: str
    names: tuple[str, str]

    def __str__(self) -> str:
        a, b = self.names
        outcome = f"{a} is {self.outcome} than {b}"
        if self.outcome == "not resolved":
            outcome = f"{a} against {b} is not resolved"
        ideal = ideal_of(self.metric)
        of = "difference" if ideal is None else f"difference of the distances to {ideal:g}"
        width = max(len(a), len(b), len(of))
        sides = ((a, self.a), (b, self.b), (of, self.difference))
        lines = [f"{self.metric} ({what_is_better(self.metric)}): {outcome}"]
        lines += [f"  {name:<{width}}  {self._written(estimate)}" for name, estimate in sides]
        lines.append(f"  95 %, {self.method}; covers {self.difference.covers}")
        return "\n".join(lines)

    def _written(self, estimate: Estimate) -> str:
        """Return a number and its interval, with as many decimals as the difference's interval resolves."""
        half_width = (self.difference.high - self.difference.low) / 2
        decimals = max(0, 2 - math.floor(math.log10(half_width))) if half_width > 0 else 4
        value, low, high = (f"{number:.{decimals}f}" for number in dataclasses.astuple(estimate)[:3])
        return f"{value}  ({low} to {high})"


def compare(results: Path | None, a: str, b: str, *, metrics: Sequence[str], varies: Sequence[str] = ()) -> str:
    """Return the verdicts on two rows as text. The arguments are those of `comparisons`. Raises: UserError."""
    return "\n".join(map(str, comparisons(results, a, b, metrics=metrics, varies=varies)))


def comparisons(
    results: Path | None, a: str, b: str, *, metrics: Sequence[str], varies: Sequence[str] = ()
) -> list[Comparison]:
    """Return the verdicts on two rows, one for each metric.

    a, b: rows of `results`, or files of scores (.json, .csv) that hold one row each. results: a folder of results, a
    file of scores or a table; None for the folder `results`. varies: fields of the protocol, or of the row, that differ
    by design. Raises: UserError if a row does not exist, or the two cannot be compared.
    """
    files = [side for side in (a, b) if _is_file(side)]
    if results is not None and len(files) == 2:
        raise UserError(f"--results {results}: has no effect if both rows are files; leave it out")
    names = list(dict.fromkeys(map(metric_named, metrics)))
    if results is None and not Path(RESULTS).exists():
        _require_files(side for side in (a, b) if side not in files)
    of_results = _of_results(results) if len(files) < 2 else []
    sides = [(side, records_of(Path(side)) if side in files else of_results) for side in (a, b)]
    found = []
    for metric in names:
        one, other = (row_named(records, side, metric, whole=side in files) for side, records in sides)
        verdict = judged(one, other, metric, varies)
        found.append(Comparison(**vars(verdict), metric=metric, names=(a, b)))
    return found


def _of_results(results: Path | None) -> Sequence[Mapping[str, Any]]:
    """Return the records of the results that were named. Raises: UserError with the command that makes missing ones."""
    place = results or Path(RESULTS)
    if not place.exists() and results is None:
        ways = "name one by --results, give two files of scores as the rows, or"
        raise UserError(f"no folder '{RESULTS}' here; {ways} {way_to(place)}")
    if not place.exists() or not (place.is_file() or _holds_scores(place)):
        raise UserError(f"{place}: no scores there; {way_to(place)}")
    return records_of(place)


def _holds_scores(folder: Path) -> bool:
    return any(path.suffix == ".json" for path in folder.rglob("*.json"))


def _is_file(side: str) -> bool:
    """Return whether a side is a file of scores. A measured set's label may look like a file's name too."""
    return _named_as_file(side) and Path(side).is_file()


def _named_as_file(side: str) -> bool:
    return Path(side).suffix.lower() in (".json", ".csv")


def _require_files(absent: Iterable[str]) -> None:
    """Raise UserError for a side that can only be meant as a file, since there are no results that could name it."""
    for side in filter(_named_as_file, absent):
        raise UserError(f"{side}: no such file of scores; `diffbench measure` writes one")
