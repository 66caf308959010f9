"""What is said of a job that failed: what it was for, how it ended, the end of its log, and where the log is."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from diffbench.base.progress import without_progress
from diffbench.commands.reporting.words import cut, ending

OURS = "diffbench: "
"""The beginning of the line in which a stage reports a user's mistake."""

FAILED = "failed: "
"""The beginning of the first line on a failed job."""

SHOWN = 10
"""The number of lines of a log that are shown."""

KEPT = 2**16
"""The bytes at the end of a log that are read."""

STATUS = re.compile(
    r"returned non-zero exit status (\d+)|died with <Signals\.\w+: (\d+)>|died with unknown signal (\d+)"
)


def exit_code(message: str) -> int | None:
    """Return the exit code in Snakemake's message on a shell command, negative for a signal; None if it has none."""
    found = list(STATUS.finditer(message))
    if not found:
        return None
    plain, *signals = found[-1].groups()
    return int(plain) if plain else -int(next(number for number in signals if number))


def failure(
    what: str, rule: str, code: int | None, logs: Sequence[Path], *, details: Mapping[str, Any], here: Path
) -> str:
    """Return the lines on a failed job.

    what: what the job does, in words. code: None if it is not known, as on a cluster. details: what an executor adds,
    for example the number of the job in a cluster's queue. here: the folder in which the user gave the command.
    """
    how = "it did not run to its end" if code is None else ending(code)
    lines = [f"{FAILED}{what} (rule {rule}): {how}", *(cut(f"  {key}: {value}") for key, value in details.items())]
    log = newest(logs)
    if log is None:
        return "\n".join([*lines, "  it has written no log"])
    written = tail(log)
    mistakes = [line for line in written if line.startswith(OURS)]
    if mistakes and code in (2, None):
        # The stage says in one line what is wrong, so the lines before it would only hide it.
        lines.append(mistakes[-1])
    else:
        lines += [cut(f"  | {line}") for line in written[-SHOWN:]] or ["  its log is empty"]
    return "\n".join([*lines, f"  the whole log: {nearby(log, here)}"])


def newest(logs: Sequence[Path]) -> Path | None:
    """Return the log that was written last; None if there is none. A rule of two stages has two."""
    found = [path for path in logs if path.is_file()]
    return max(found, key=lambda path: path.stat().st_mtime_ns, default=None)


def tail(log: Path) -> list[str]:
    """Return the last lines of a log, without lines of progress; none if it cannot be read."""
    try:
        with open(log, "rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - KEPT))
            return without_progress(file.read().decode(errors="replace"))
    except OSError:
        return []


def nearby(path: Path, here: Path) -> str:
    """Return a path as one would type it in a folder: relative if it is below it, otherwise absolute."""
    whole = Path(os.path.abspath(path))
    return str(whole.relative_to(here)) if whole.is_relative_to(here) else str(whole)
