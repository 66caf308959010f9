"""The workflow as a command calls it: Snakemake in a process of its own, told in a few lines."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffbench.base.errors import UserError
from diffbench.benchmark.codehash import PACKAGE_ROOT

PROGRESS = re.compile(r"\d+ of \d+ steps \(\d+%\) done")
OURS = "diffbench: "
"""How the line begins with which a stage says what a person can mend."""
NOTE = f"{OURS}note: "


def make(targets: Sequence[str], config: Path, *, cores: str, log: Path) -> None:
    """Make files through the workflow, and what they need and is missing or out of date; other files stay as they are.

    config: the benchmark's YAML. log: where all that Snakemake says is kept; progress goes to stderr.
    Raises: UserError with the line of the stage that failed.
    """
    command = _command(config, targets, "--cores", cores)
    reasons: list[str] = []
    locked = False
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "w") as file, _started(command) as process:
        for line in process.stdout or ():
            file.write(line)
            if PROGRESS.search(line):
                # One line that is written over where a person watches.
                sys.stderr.write(f"\r{line.rstrip()}" if sys.stderr.isatty() else line)
                sys.stderr.flush()
            elif line.startswith(OURS) and not line.startswith(NOTE):
                reasons.append(line.removeprefix(OURS).strip())
            locked = locked or "Directory cannot be locked" in line
        code = process.wait()
    if sys.stderr.isatty():
        sys.stderr.write("\n")
    if code == 0:
        return
    if locked:
        raise UserError("another run is at work on this benchmark; wait for it or end it")
    reason = reasons[-1] if reasons else "the workflow failed"
    raise UserError(f"{reason} (all that was said: {log})")


@dataclass(frozen=True)
class JobPlan:
    """What a job would make now: its outputs, and the spec that it would be given."""

    outputs: tuple[str, ...]
    spec: Mapping[str, Any]


def jobs_of(config: Path, targets: Sequence[str]) -> list[JobPlan]:
    """Return every job that targets are made by, those whose outputs are there included.

    Snakemake tells what it would run where it would make all again: what it says of files that are there (--summary) is
    the command that they were made by. Raises: UserError with Snakemake's last line where the workflow cannot be read.
    """
    done = _done(_command(config, targets, "--cores", "1", "--dry-run", "--printshellcmds", "--forceall"))
    jobs, paths = [], ()
    for line in done.stdout.splitlines() + done.stderr.splitlines():
        if line.startswith(OUTPUT):
            paths = tuple(line.removeprefix(OUTPUT).split(", "))
        elif line.startswith(SHELL) and "--spec" in line:
            words = shlex.split(line.removeprefix(SHELL))
            jobs.append(JobPlan(paths, json.loads(words[words.index("--spec") + 1])))
    return jobs


OUTPUT = "    output: "
SHELL = "Shell command: "
"""How Snakemake begins the lines of a job's outputs and of its command."""


def take_for_made(config: Path, targets: Sequence[str]) -> None:
    """Make Snakemake record files as made by the present workflow, those of the targets that it would make again.

    Raises: UserError with Snakemake's last line where it cannot.
    """
    _done(_command(config, targets, "--cores", "1", "--touch", "--quiet"))


def _done(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, env=_environment(), capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["the workflow failed"]
        ours = [line for line in lines if line.startswith(OURS)]
        raise UserError((ours or lines)[-1].removeprefix(OURS).strip())
    return done


def _command(config: Path, targets: Sequence[str], *options: str) -> list[str]:
    snakefile = PACKAGE_ROOT / "Snakefile"
    if not snakefile.is_file():
        raise UserError(f"{snakefile}: no such file; the workflow is in a clone of the project, not in the package")
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(snakefile), *options]
    return [*command, "--configfile", os.path.relpath(config), "--", *targets]


def _environment() -> dict[str, str]:
    """Return the environment without the benchmark that it may name: a command names its own, and two are refused."""
    return {key: value for key, value in os.environ.items() if key != "DIFFBENCH_CONFIG"}


def _started(command: Sequence[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command, env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
