"""A history of measurements: a line of JSON for each run, and what became slower since the last one like it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from diffbench.base.errors import UserError
from diffbench.base.writing import UNWRITABLE

SLOWER = 0.95
"""Below this share of the images per second before, a measurement counts as slower."""

LIKE = ("benchmark", "machine", "versions")
"""What must be equal if two runs are to be compared; of their measurements, those with equal settings are."""

SETTINGS = ("part", "of", "detail", "numerics", "batch", "flop_per_image")


def entries(path: Path) -> list[dict[str, Any]]:
    """Return the runs of a history, oldest first; none if there is no file yet.

    Raises: UserError if a line is not one of a history, or no line can be added.
    """
    _add(path, "")
    found = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        try:
            entry = json.loads(line)
            known = [_settings(one) for one in entry["measured"]], [entry[name] for name in (*LIKE, "date")]
        except (ValueError, LookupError, TypeError):
            raise UserError(f"{path}, line {number}: not a line of `diffbench bench --json`; name a new file") from None
        found += [entry] if known else []
    return found


def append(path: Path, entry: Mapping[str, Any]) -> None:
    """Add a run to a history. Raises: UserError if the file cannot be written."""
    _add(path, json.dumps(entry) + "\n")


def _add(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "a") as file:
            file.write(text)
    except OSError as error:
        if error.errno not in UNWRITABLE and not isinstance(error, IsADirectoryError | FileExistsError):
            raise
        raise UserError(f"--json {path}: cannot be written ({error.strerror})") from error


def since_last(before: Sequence[Mapping[str, Any]], entry: Mapping[str, Any]) -> list[str]:
    """Return lines that say what became slower since the last run on this machine with these versions and settings.

    A measurement is slower if it is below SLOWER and the middle halves of both times do not overlap.
    """
    alike = [old for old in before if all(old[name] == entry[name] for name in LIKE)]
    now = {_settings(one): one for one in entry["measured"]}
    for old in reversed(alike):
        pairs = [(one, now[_settings(one)]) for one in old["measured"] if _settings(one) in now]
        if pairs:
            slower = [line for one, other in pairs if (line := _slower(one, other))]
            return [f"since {old['date']}: {line}" for line in slower] or [
                f"since {old['date']}: none of {len(pairs)} measurements is more than {1 - SLOWER:.0%} slower"
            ]
    return ["no earlier run of this machine, with these versions and settings, is in the history"]


def _settings(one: Mapping[str, Any]) -> str:
    return json.dumps([one[name] for name in SETTINGS], sort_keys=True)


def _slower(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    ratio = now["images_per_second"] / before["images_per_second"]
    apart = now["seconds_quartiles"][0] > before["seconds_quartiles"][1]
    if ratio >= SLOWER or not apart:
        return None
    rates = f"{now['images_per_second']:,.1f} instead of {before['images_per_second']:,.1f}"
    return f"REGRESSION: {now['part']} {now['of']}: {rates} images/s, {ratio:.2f} times as fast"
