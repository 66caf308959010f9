"""A handler of Snakemake's log records, and a filter for the terminal's handler, whose lines about jobs it replaces.

Snakemake gives each record an `event` (snakemake_interface_logger_plugins.common). Its texts are matched only where
there is no event: for what a shell command ended with, for "Nothing to be done", and for lines of no use to a user.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snakemake_interface_logger_plugins.common import LogEvent

from diffbench.commands.reporting.failures import exit_code
from diffbench.commands.reporting.progress import Job

NOTHING = "Nothing to be done"

TERMINATED = "Will exit after finishing currently running jobs"

INTERRUPTED = "Terminating processes on user request"

REPLACED = frozenset(
    (
        *(LogEvent.JOB_INFO, LogEvent.JOB_STARTED, LogEvent.JOB_FINISHED, LogEvent.JOB_ERROR, LogEvent.SHELLCMD),
        *(LogEvent.GROUP_INFO, LogEvent.GROUP_ERROR, LogEvent.PROGRESS, LogEvent.RUN_INFO, LogEvent.RESOURCES_INFO),
    )
)
"""The events that have lines of ours, or that say what the user has just typed."""

NEEDLESS = (
    *("Assuming unrestricted shared", "Creating specified working", "Building DAG", "Using shell", "Group jobs:"),
    *("Conda environments: ignored", "Singularity containers: ignored", "Select jobs", "Waiting for running"),
    *(INTERRUPTED, TERMINATED, "Shutting down", "Exiting because a job", "Elapsed time", "Complete log(s)"),
    "Removing output files of failed job",
    "WorkflowError:\nAt least one job did not complete successfully",
)
"""The beginnings of Snakemake's other lines that are left out in the terminal. They are in its own log."""


@dataclass(frozen=True)
class Failed:
    """What Snakemake says of a failed job. code: None if it is not known."""

    job: Job
    code: int | None
    details: Mapping[str, Any]


@dataclass(frozen=True)
class Listener:
    """What is called when something happens in a run."""

    started: Callable[[Job], object]
    finished: Callable[[int], object]
    failed: Callable[[Failed], object]
    error: Callable[[str], object]
    nothing_to_do: Callable[[], object]
    ends: Callable[[str], object]
    closed: Callable[[], object]


class Events(logging.Handler):
    """Calls a listener for records of Snakemake's logger."""

    def __init__(self, listener: Listener) -> None:
        super().__init__()
        self._listener = listener
        self._codes: dict[int | None, int | None] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Call the listener. What goes wrong here must not end a run."""
        try:
            self._take(record)
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """Tell the listener that the run is over."""
        self._listener.closed()
        super().close()

    def _take(self, record: logging.LogRecord) -> None:
        event, listener, fields = getattr(record, "event", None), self._listener, vars(record)
        message = str(record.msg or "")
        if event == LogEvent.JOB_INFO:
            listener.started(_job(fields))
        elif event == LogEvent.JOB_FINISHED:
            listener.finished(fields["job_id"])
        elif event == LogEvent.JOB_ERROR:
            code = self._codes.pop(record.thread, None)
            listener.failed(Failed(_job(fields), code, fields.get("aux") or {}))
        elif event == LogEvent.GROUP_ERROR:
            for one in fields.get("job_error_info") or ():
                listener.failed(Failed(_job(one), None, {}))
        elif event == LogEvent.ERROR and is_of_shell(message):
            # The record of the failed job follows in the same thread, and lacks the exit code.
            self._codes[record.thread] = exit_code(message)
        elif event == LogEvent.ERROR:
            listener.error(message)
        elif message.startswith(NOTHING):
            listener.nothing_to_do()
        elif message.startswith((INTERRUPTED, TERMINATED)):
            listener.ends("interrupted" if message.startswith(INTERRUPTED) else "ended by SIGTERM")


class Needful(logging.Filter):
    """Lets those lines of Snakemake into the terminal that ours do not replace. before: called before such a line."""

    def __init__(self, before: Callable[[], object]) -> None:
        super().__init__()
        self._before = before

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is written."""
        message = str(record.msg or "")
        event = getattr(record, "event", None)
        if event in REPLACED or is_of_shell(message) or message.startswith(NEEDLESS):
            return False
        self._before()
        return True


def is_of_shell(message: str) -> bool:
    """Return whether a message is that of a shell command which failed; it holds the whole command."""
    return "CalledProcessError" in message and "Command '" in message


def _job(fields: Mapping[str, Any]) -> Job:
    logs = tuple(Path(path).absolute() for path in fields.get("log") or ())
    return Job(fields["jobid"], fields["rule_name"], dict(fields.get("wildcards") or {}), logs)
