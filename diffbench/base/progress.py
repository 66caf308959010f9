"""Progress of long work: a bar on a terminal, an occasional line in a log. It never changes an artifact."""

import sys
from typing import Any

from tqdm import tqdm


def progress(total: int, description: str, initial: int = 0, unit: str = "step", *, delay: float = 0) -> "tqdm[Any]":
    """Return a progress bar on stderr. If stderr is not a terminal, it writes a line about every ten seconds.

    delay: the seconds of work before which nothing is written.
    """
    interval = 0.1 if sys.stderr.isatty() else 10.0
    return tqdm(
        total=total, desc=description, initial=initial, unit=unit, mininterval=interval, dynamic_ncols=True, delay=delay
    )
