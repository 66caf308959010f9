"""Signs of life: a thread that says what runs now if nothing else has been said for a while."""

import threading

from diffbench.commands.reporting.progress import Progress
from diffbench.commands.reporting.remaining import seconds_left
from diffbench.commands.reporting.terminal import Terminal
from diffbench.commands.reporting.words import LONGEST, about, cut, spoken

OFTEN = 13.0
"""Seconds of silence in the first ten minutes, after which a line is written."""

FIRST = 600.0

SELDOM = 300.0
"""The most seconds of silence."""

SLOWER = 25
"""After the first ten minutes the silence grows to this fraction of the time so far: a week's run has 3,000 lines."""

LIVE = 1.0
"""Seconds after which a terminal's status is written again."""


def silence(elapsed: float) -> float:
    """Return the seconds of silence after which a line is written, when a run is so many seconds old."""
    return OFTEN if elapsed < FIRST else min(SELDOM, elapsed / SLOWER)


class Heartbeat:
    """The thread. It ends with the process, or when it is told to."""

    def __init__(self, progress: Progress, terminal: Terminal) -> None:
        self._progress, self._terminal = progress, terminal
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and remove its status from the terminal."""
        self._end.set()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(timeout=5)
        self._terminal.clear()

    def _beat(self) -> None:
        while not self._end.wait(LIVE):
            progress, terminal = self._progress, self._terminal
            # Before the first job others write to stderr too, so there is no status that they would have to clear.
            if terminal.live and progress.running:
                terminal.status(sign_of_life(progress))
            elif terminal.quiet_for() >= silence(progress.elapsed):
                terminal.line(sign_of_life(progress))


def sign_of_life(progress: Progress) -> str:
    """Return a line on what runs now: "  1 min 30 s: training ddpm seed 0 (step 400 of 1,600), about 5 min left"."""
    with progress.lock:
        running = [progress.jobs[number] for number in progress.running]
    head = f"  {spoken(progress.elapsed)}: "
    if not running:
        return cut(head + progress.phase)
    left = seconds_left(progress)
    end = "" if left is None else f", about {about(left)} left"
    if progress.ended or progress.failed:
        end = ", and then the run ends"
    words = [progress.doing(job) for job in running]
    for shown in range(len(words), 0, -1):
        more = f" and {len(words) - shown} more" if shown < len(words) else ""
        text = head + ", ".join(words[:shown]) + more + end
        if len(text) <= LONGEST:
            return text
    return cut(head + words[0]) + end
