"""Runs of the workflow by a command: Snakemake in a separate process, with short messages."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from diffbench.base.errors import UserError
from diffbench.benchmark.codehash import PACKAGE_ROOT
from diffbench.benchmark.places import VARIABLE
from diffbench.commands.reporting.failures import FAILED, OURS

SNAKEFILE = PACKAGE_ROOT / "Snakefile"
NOTE = f"{OURS}note: "

SNAKEMAKES = "Using workflow specific profile"
"""The beginning of what Snakemake says before the workflow can keep it from saying more."""


def require_workflow() -> None:
    """Raise UserError if this package has no workflow, as one that was installed from a wheel."""
    if not SNAKEFILE.is_file():
        raise UserError(
            "this command runs the workflow, which is not in the installed package; clone the project and run the "
            "command in the clone"
        )


def make(targets: Sequence[str], config: Path, *, cores: str, log: Path) -> None:
    """Make files through the workflow, with everything they need that is missing or out of date.

    config: the benchmark's YAML. log: the file for all that the workflow says; what a user wants to see of it goes to
    stderr too. Raises: UserError with the line of the stage that failed.
    """
    command = _command(config, targets, "--cores", cores)
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "w") as file, _started(command) as process:
        heard = _Heard(file)
        try:
            heard.listen(process)
        except KeyboardInterrupt:
            # The same signal ends the workflow, whose last words say how to go on.
            heard.listen(process)
            raise
        code = process.wait()
    if code == 0:
        return
    if heard.locked:
        raise UserError("another run is at work on this benchmark; wait for it or end it")
    raise UserError(f"{heard.reason} (the whole output: {log})")


@dataclass
class _Heard:
    """What a run of the workflow said. file: where all of it is written. reason: why it failed, if it did."""

    file: TextIO
    reason: str = "the workflow failed"
    locked: bool = False

    def listen(self, process: subprocess.Popen[str]) -> None:
        """Write all lines to the file, and those for a user to stderr, until the process says no more."""
        for line in process.stdout or ():
            self.file.write(line)
            self.locked = self.locked or "Directory cannot be locked" in line
            if line.startswith(OURS) and not line.startswith(NOTE):
                # It is the command's own last line.
                self.reason = line.removeprefix(OURS).strip()
            elif not line.startswith(SNAKEMAKES):
                sys.stderr.write(line)
                sys.stderr.flush()
            if line.startswith(FAILED):
                self.reason = line.removeprefix(FAILED).strip()


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
