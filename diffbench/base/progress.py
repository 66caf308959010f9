"""A progress bar on a terminal, a line now and then in a log. Nothing here can change a byte of an artifact."""

import sys
from typing import Any

from tqdm import tqdm


def progress(total: int, description: str, initial: int = 0, unit: str = "step") -> "tqdm[Any]":
    """Return a progress bar on stderr; where that is no terminal it writes a line every ten seconds or so."""
    interval = 0.1 if sys.stderr.isatty() else 10.0
    return tqdm(total=total, desc=description, initial=initial, unit=unit, mininterval=interval, dynamic_ncols=True)
