"""Lines on stderr, and, in a terminal, one line of status that is written over itself."""

import shutil
import sys
import threading
import time
from typing import TextIO

from diffbench.commands.reporting.words import cut

CLEAR = "\r\x1b[K"
"""What moves to the start of a terminal's line and clears the line."""


class Terminal:
    """A stream to which several threads write lines. live: whether the status is written over itself."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._lock = threading.RLock()
        self._shown = False
        self.live = self._stream.isatty()
        self._said = time.monotonic()

    def line(self, text: str) -> None:
        """Write one or several lines."""
        with self._lock:
            self.clear()
            self._write(f"{text}\n")

    def status(self, text: str) -> None:
        """Write the status over the one before. Only for a terminal."""
        with self._lock:
            # One column stays free, because some terminals wrap a line that fills the last one.
            width = shutil.get_terminal_size().columns - 1
            self._write(CLEAR + cut(text, max(20, width)))
            self._shown = True

    def quiet_for(self) -> float:
        """Return the seconds since the last line."""
        return time.monotonic() - self._said

    def clear(self) -> None:
        """Remove the status, before a line that somebody else writes."""
        with self._lock:
            if self._shown:
                self._write(CLEAR)
                self._shown = False
            self._said = time.monotonic()

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            pass  # A closed terminal must not end a run that takes days.
