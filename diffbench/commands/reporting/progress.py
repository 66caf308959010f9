"""The jobs of a run: which wait, which run and since when, and how long the others took."""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from diffbench.base.progress import Seen, last_seen
from diffbench.commands.reporting.words import SEEDS, did, doing, stage_of_rule

END = 4096
"""The bytes at the end of a log in which the last sign of progress is sought."""


@dataclass(frozen=True)
class Job:
    """A job of the workflow. work: the network evaluations that it needs; None if they are not what takes its time."""

    number: int
    rule: str
    wildcards: Mapping[str, str]
    logs: tuple[Path, ...] = ()
    work: float | None = None

    @property
    def stage(self) -> str:
        """The stage that it runs."""
        return stage_of_rule(self.rule)

    @property
    def model(self) -> str:
        """The entry of its model; "" if it has none."""
        return self.wildcards.get("model", self.wildcards.get("classifier", "")).partition("@")[0]


@dataclass
class Progress:
    """The jobs of a run, by their numbers.

    phase: what the run does before its first job. failed: the jobs that failed. ended: "interrupted" or "ended by
    SIGTERM" if a signal ended the run.
    """

    phase: str = "reading the benchmark and its data"
    began: float = field(default_factory=time.monotonic)
    jobs: dict[int, Job] = field(default_factory=dict)
    running: dict[int, float] = field(default_factory=dict)
    seconds: dict[int, float] = field(default_factory=dict)
    failed: dict[int, Job] = field(default_factory=dict)
    side_by_side: int = 1
    ended: str = ""
    lock: threading.RLock = field(default_factory=threading.RLock)
    _seeds: tuple[str, ...] = ()

    def expect(self, jobs: Sequence[Job]) -> None:
        """Set the jobs that the run has to do."""
        with self.lock:
            self.jobs = {job.number: job for job in jobs}
            values = {name: {job.wildcards.get(name) for job in jobs} - {None} for name in SEEDS}
            self._seeds = tuple(name for name, held in values.items() if len(held) > 1)

    def start(self, job: Job) -> None:
        """Note that a job runs from now on."""
        with self.lock:
            self.jobs.setdefault(job.number, job)
            self.running[job.number] = time.monotonic()
            self.failed.pop(job.number, None)
            self.side_by_side = max(self.side_by_side, len(self.running))

    def finish(self, number: int) -> Job | None:
        """Note that a job is done, and return it; None if the number is unknown."""
        with self.lock:
            since = self.running.pop(number, time.monotonic())
            self.seconds[number] = time.monotonic() - since
            return self.jobs.get(number)

    def fail(self, number: int, job: Job) -> None:
        """Note that a job failed."""
        with self.lock:
            self.running.pop(number, None)
            self.failed[number] = self.jobs.get(number, job)

    @property
    def done(self) -> int:
        """The number of jobs that are done."""
        return len(self.seconds)

    @property
    def elapsed(self) -> float:
        """The seconds since the run began."""
        return time.monotonic() - self.began

    def did(self, job: Job) -> str:
        """Return what a job does, in words that tell it apart from the run's other jobs."""
        return did(job.rule, job.wildcards, self._seeds)

    def doing(self, job: Job) -> str:
        """Return what a job is doing, and how far it is."""
        seen = seen_in(job)
        words = doing(job.rule, job.wildcards, self._seeds)
        if seen is None or not seen.done:
            return words
        if job.stage == "train":
            return f"{words} (step {seen.done:,} of {seen.total:,})"
        # A job whose progress is whole still writes its files.
        return f"{words} ({seen.share:.0%})" if seen.share < 1 else words


def seen_in(job: Job) -> Seen | None:
    """Return how far a job is, by the end of its log; None if the log does not say."""
    for path in job.logs:
        try:
            with open(path, "rb") as file:
                file.seek(0, 2)
                file.seek(max(0, file.tell() - END))
                seen = last_seen(file.read().decode(errors="replace"))
        except OSError:
            continue
        if seen is not None:
            return seen
    return None
