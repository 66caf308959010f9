"""Progress of long work: a bar on a terminal, an occasional line in a log. It never changes an artifact."""

import re
import sys
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from tqdm import tqdm

LINE = re.compile(r"[^\r\n|]*:\s+\d+%\|[^|\r\n]*\| (\d+)/(\d+) \[[^\r\n]*")
"""A line of progress in a log: "train:  46%|████▋     | 742/1600 [01:31<01:45,  8.12step/s]"."""


LEAST_DELAY = ContextVar("LEAST_DELAY", default=0.0)
"""The seconds of work before which no bar in this context is drawn."""


@contextmanager
def patient(seconds: float) -> Generator[None]:
    """Draw no progress bar in this block before so many seconds of its work."""
    token = LEAST_DELAY.set(seconds)
    try:
        yield
    finally:
        LEAST_DELAY.reset(token)


def progress(total: int, description: str, initial: int = 0, unit: str = "step", *, delay: float = 0) -> "tqdm[Any]":
    """Return a progress bar on stderr. If stderr is not a terminal, it writes a line about every ten seconds.

    delay: the seconds of work before which nothing is written.
    """
    interval = 0.1 if sys.stderr.isatty() else 10.0
    delay = max(delay, LEAST_DELAY.get())
    return tqdm(
        total=total, desc=description, initial=initial, unit=unit, mininterval=interval, dynamic_ncols=True, delay=delay
    )


@dataclass(frozen=True)
class Seen:
    """How far some work is: the units that are done, of how many."""

    done: int
    total: int

    @property
    def share(self) -> float:
        """The share of the work that is done, between 0 and 1."""
        return min(1.0, self.done / self.total) if self.total else 0.0


def last_seen(log: str) -> Seen | None:
    """Return how far the work is that wrote a log; None if there is no line of progress in it."""
    found = LINE.findall(log)
    return Seen(*map(int, found[-1])) if found else None


def without_progress(log: str) -> list[str]:
    """Return the lines of a log that hold something else than progress, without empty ones."""
    lines = (line.rstrip() for line in re.split(r"[\r\n]+", log))
    return [line for line in lines if line and not LINE.fullmatch(line)]
