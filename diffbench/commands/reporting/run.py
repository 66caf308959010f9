"""The report of a run of the workflow. It is attached to Snakemake's logger before anything else is read.

How much is said follows Snakemake's option --quiet, which profiles/default sets to `host`:

    not given       Snakemake's own lines, and those of the report
    host, rules     the report instead of Snakemake's lines about jobs
    progress        the same without jobs and signs of life: failed jobs and the result
    all             failed jobs alone
"""

import logging
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffbench.commands.reporting.events import Events, Failed, Listener, Needful
from diffbench.commands.reporting.failures import failure
from diffbench.commands.reporting.heartbeat import Heartbeat
from diffbench.commands.reporting.progress import Job, Progress
from diffbench.commands.reporting.remaining import seconds_left, work_of
from diffbench.commands.reporting.terminal import Terminal
from diffbench.commands.reporting.words import about, counted, cut, spoken, stage_of_rule

STREAM = "DefaultStreamHandler"
"""The name of Snakemake's handler for the terminal."""


@dataclass(frozen=True)
class Loudness:
    """What the report says: lines of jobs, the result, and whether Snakemake's own lines are left out."""

    jobs: bool
    result: bool
    instead: bool

    @classmethod
    def of(cls, quiet: Iterable[Any], *, detailed: bool) -> "Loudness":
        """Return the loudness that an option --quiet asks for. detailed: Snakemake was asked for more than usual."""
        words = {str(word) for word in quiet or ()}
        return cls(
            jobs=not words & {"progress", "all"},
            result="all" not in words,
            instead=bool(words) and not detailed,
        )


class Reporting:
    """What a run says. here: the folder in which the user gave the command."""

    def __init__(self, loudness: Loudness, here: Path) -> None:
        self.progress, self.terminal = Progress(), Terminal()
        self.here = here
        self._loudness = loudness
        self._heartbeat = Heartbeat(self.progress, self.terminal)
        self._handler = Events(
            Listener(
                started=self._started,
                finished=self._finished,
                failed=self._failed,
                error=self._error,
                nothing_to_do=self._nothing,
                ends=self._ends,
                closed=self._closed,
            )
        )
        self._result: Callable[[], Sequence[str]] = tuple
        self._told = self._attached = self._waits = False

    def attach(self, logger: logging.Logger) -> None:
        """Listen to Snakemake's logger, and start the signs of life."""
        self._attached = True
        for handler in logger.handlers:
            if handler.name == STREAM and self._loudness.instead:
                handler.addFilter(Needful(self.terminal.clear))
        logger.addHandler(self._handler)
        self._note_signal(signal.SIGINT, "interrupted")
        if self._loudness.jobs:
            self._heartbeat.start()

    def silence(self) -> None:
        """Say nothing from now on."""
        self._loudness, self._told = Loudness(jobs=False, result=False, instead=True), True
        self._heartbeat.stop()

    # -- the phases of a run, as the workflow calls them

    def reads(self, phase: str, result: Callable[[], Sequence[str]]) -> None:
        """Say from now on that the run is in a phase before its first job. result: returns the lines on the result."""
        self.progress.phase, self._result = phase, result

    def begins(self, jobs: Sequence[Job], first: str) -> None:
        """Note the jobs of the run, and say its first line."""
        self.progress.expect(jobs)
        self.progress.phase = "waiting for the first job"
        # Snakemake's handler of SIGTERM, which lets the running jobs end, is there only now.
        self._note_signal(signal.SIGTERM, "ended by SIGTERM")
        self._say(first, self._loudness.jobs)

    def succeeds(self, lines: Sequence[str]) -> None:
        """Say the result. lines: on the time that it took."""
        self._heartbeat.stop()
        self._told = True
        if self._loudness.result:
            self._say("\n".join([*self._result(), *lines]))

    def fails(self, done: int) -> None:
        """Say after how many jobs the run ended, and what to do. done: the number of jobs that are finished."""
        self._heartbeat.stop()
        self._told, progress = True, self.progress
        after = f"after {done} of {counted(len(progress.jobs), 'job')}"
        if progress.ended:
            self._say(f"{progress.ended} {after}; the same command goes on")
        else:
            failed = f", {len(progress.failed)} failed" if progress.failed else ""
            self._say(f"stopped {after}{failed}; once the cause is gone, the same command goes on")

    # -- events

    def _started(self, job: Job) -> None:
        self.progress.start(job)

    def _finished(self, number: int) -> None:
        progress = self.progress
        job = progress.finish(number)
        if job is None:
            return
        total = len(progress.jobs)
        left = None if progress.ended or progress.failed or progress.done == total else seconds_left(progress)
        end = f", about {about(left)} left" if left else ""
        count = f"[{progress.done:>{len(str(total))}} of {total}]"
        self._say(cut(f"{count} {progress.did(job)}: {spoken(progress.seconds[number])}{end}"), self._loudness.jobs)

    def _failed(self, failed: Failed) -> None:
        progress = self.progress
        known = progress.jobs.get(failed.job.number, failed.job)
        progress.fail(failed.job.number, failed.job)
        if progress.ended or self._told:
            return
        logs = failed.job.logs or known.logs
        words = progress.did(known)
        self._say(failure(words, known.rule, failed.code, logs, details=failed.details, here=self.here))
        if progress.running and self._loudness.jobs:
            self._say(f"  no other job starts; {self._at_work()} first")

    def _error(self, message: str) -> None:
        # Snakemake itself says it, except if it was asked for nothing at all.
        if not self._loudness.result and not self._told:
            self._say(message)

    def _nothing(self) -> None:
        self._heartbeat.stop()
        self._told = True
        if self._loudness.result:
            self._say("\n".join(self._result()))

    def _ends(self, how: str) -> None:
        progress = self.progress
        progress.ended = progress.ended or how
        # Snakemake says it again whenever a job ends.
        if progress.running and not self._waits and progress.ended != "interrupted":
            self._waits = True
            self._say(f"{progress.ended}: no other job starts; {self._at_work()} first", self._loudness.result)

    def _at_work(self) -> str:
        count = len(self.progress.running)
        return "the job that runs now ends" if count == 1 else f"the {count} jobs that run now end"

    def _closed(self) -> None:
        self._heartbeat.stop()
        if self.progress.ended and not self._told and self._attached:
            self._told = True
            self._say(f"{self.progress.ended} before the first job; the same command goes on")

    # -- how

    def _say(self, text: str, wanted: bool = True) -> None:
        if text and wanted:
            self.terminal.line(text)

    def _note_signal(self, number: signal.Signals, ended: str) -> None:
        """Remember that a signal ended the run, before what is done about it now."""
        now = signal.getsignal(number)
        if not callable(now) or threading.current_thread() is not threading.main_thread():
            return

        def noted(signum: int, frame: Any) -> Any:
            self.progress.ended = self.progress.ended or ended
            return now(signum, frame)

        signal.signal(number, noted)


def reporting(workflow: Any, logger: logging.Logger, here: Path) -> Reporting:
    """Return the report of a run. It is silent in dry runs, and in the children that executors start for jobs.

    workflow: Snakemake's. here: the folder in which the user gave the command.
    """
    settings = workflow.output_settings
    loudness = Loudness.of(settings.quiet, detailed=settings.verbose or settings.printshellcmds or settings.debug_dag)
    report = Reporting(loudness, here)
    if not settings.dryrun and not workflow.subprocess_exec and not workflow.remote_exec:
        report.attach(logger)
    return report


def jobs_of(dag: Any, home: Path) -> list[Job]:
    """Return the jobs that Snakemake has to do. home: the folder at which the paths of their logs start."""
    return [
        Job(
            number=dag.jobid(job),
            rule=job.rule.name,
            wildcards=dict(job.wildcards_dict),
            logs=tuple(home / str(path) for path in job.log),
            work=work_of(stage_of_rule(job.rule.name), str(job.params.get("spec", "")), job.wildcards_dict),
        )
        for job in dag.needrun_jobs()
        # The rule `all` makes nothing.
        if job.output
    ]


def stages_of(jobs: Iterable[Job]) -> Counter[str]:
    """Return how many jobs each stage has."""
    return Counter(job.stage for job in jobs)
