"""Runs of the workflow by a command: Snakemake in a separate process, with short messages."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from diffbench.base.errors import UserError
from diffbench.benchmark.codehash import PACKAGE_ROOT
from diffbench.benchmark.places import VARIABLE

SNAKEFILE = PACKAGE_ROOT / "Snakefile"
PROGRESS = re.compile(r"\d+ of \d+ steps \(\d+%\) done")
OURS = "diffbench: "
"""The beginning of the line in which a stage reports a user's mistake."""
NOTE = f"{OURS}note: "


def require_workflow() -> None:
    """Raise UserError if this package has no workflow, as one that was installed from a wheel."""
    if not SNAKEFILE.is_file():
        raise UserError(
            "this command runs the workflow, which is not in the installed package; clone the project and run the "
            "command in the clone"
        )


def make(targets: Sequence[str], config: Path, *, cores: str, log: Path) -> None:
    """Make files through the workflow, with everything they need that is missing or out of date.

    config: the benchmark's YAML. log: the file for Snakemake's whole output; progress goes to stderr.
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
                # In a terminal, each line of progress is written over the one before.
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
    raise UserError(f"{reason} (the whole output: {log})")


def take_for_made(config: Path, targets: Sequence[str]) -> None:
    """Make Snakemake record its targets as made by the present workflow, so that it does not make them again.

    Raises: UserError with Snakemake's last line if it fails.
    """
    command = _command(config, targets, "--cores", "1", "--touch", "--quiet")
    done = subprocess.run(command, env=_environment(), capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["the workflow failed"]
        ours = [line for line in lines if line.startswith(OURS)]
        raise UserError((ours or lines)[-1].removeprefix(OURS).strip())


def _command(config: Path, targets: Sequence[str], *options: str) -> list[str]:
    require_workflow()
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(SNAKEFILE), *options]
    return [*command, "--configfile", os.path.relpath(config), "--", *targets]


def _environment() -> dict[str, str]:
    """Return the environment without DIFFBENCH_CONFIG: the command names its benchmark, and two would be refused."""
    return {key: value for key, value in os.environ.items() if key != VARIABLE}


def _started(command: Sequence[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command, env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
