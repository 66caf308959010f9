"""A run that ends by its own clock, and a record of it that is complete whenever it is cut off."""

import json
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

GRACE = 5.0
"""Seconds after the end at which the process is ended by force, for a call into a library cannot be interrupted."""


class OutOfTimeError(BaseException):
    """A part has used the time that it was given. Libraries that catch every Exception must not catch this one."""


class Book:
    """What a run found, in `results.jsonl` line by line, and in `summary.md` as a whole after each line."""

    def __init__(self, folder: Path, title: str):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self._title, self._started = folder, title, time.perf_counter()
        self._lines: list[tuple[str, str]] = []
        self.failed = 0

    def add(self, part: str, words: str, **numbers: Any) -> None:
        """Add a result: words for people, and numbers for programs."""
        entry = {
            "after_seconds": round(time.perf_counter() - self._started, 2),
            "part": part,
            "words": words,
            **numbers,
        }
        with open(self.folder / "results.jsonl", "a") as file:
            file.write(json.dumps(entry) + "\n")
        self._lines.append((part, words))
        self._write_summary()
        print(f"{entry['after_seconds']:7.1f} s  {part}: {words}", flush=True)

    def fail(self, part: str, error: BaseException) -> None:
        """Add a failure as one line."""
        self.failed += 1
        frame = traceback.extract_tb(error.__traceback__)[-1] if error.__traceback__ else None
        place = f" ({Path(frame.filename).name}:{frame.lineno})" if frame else ""
        said = " ".join(str(error).split())[:300]
        self.add(part, f"FAILED: {type(error).__name__}: {said}{place}", failed=True)

    def _write_summary(self) -> None:
        parts = dict.fromkeys(part for part, _ in self._lines)
        text = [f"# {self._title}", ""]
        for part in parts:
            text += [f"## {part}", "", *(f"- {words}" for name, words in self._lines if name == part), ""]
        temporary = self.folder / ".summary.md"
        temporary.write_text("\n".join(text))
        os.replace(temporary, self.folder / "summary.md")


class Run:
    """A run of parts, each of which is interrupted when its time is over, and whose failures do not end the run."""

    def __init__(self, book: Book, seconds: float):
        self.book, self._end = book, time.perf_counter() + seconds
        guard = threading.Timer(seconds + GRACE, self._cut_off)
        guard.daemon = True
        guard.start()

    def left(self) -> float:
        """Return the seconds until the end of the run."""
        return self._end - time.perf_counter()

    def part(self, name: str, seconds: float, work: Callable[[], object]) -> None:
        """Do a part of the run within so many seconds, and until the end of the run at most."""
        try:
            with _within(min(seconds, self.left())):
                work()
        except (Exception, OutOfTimeError) as error:
            self.book.fail(name, error)

    def _cut_off(self) -> None:
        self.book.fail("end", OutOfTimeError("a call did not return before the end of the run"))
        os._exit(1)


@contextmanager
def _within(seconds: float) -> Iterator[None]:
    """Raise OutOfTimeError in this block after so many seconds."""
    if seconds <= 0:
        raise OutOfTimeError("no time was left")

    def over(*_: object) -> None:
        raise OutOfTimeError(f"not done after {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
