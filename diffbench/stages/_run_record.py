"""Run records, which say what a run cost and where it ran. No hash covers them."""

import json
import os
import platform
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from diffbench.base.writing import replacing


@contextmanager
def run_record(
    path: Path | str | None,
    *,
    gathered: Callable[[list[float]], list[list[float]]] = lambda own: [own],
    **fields: Any,
) -> Generator[dict[str, Any]]:
    """Yield a dictionary that becomes the run record: time, memory, machine and date are added when the run ends.

    path None: no file is written. A run record is never an input of anything that a hash covers. gathered: a
    function from the numbers of this process to those of all processes of the job, which are added up.
    """
    record: dict[str, Any] = dict(fields)
    started = time.perf_counter()
    # The process has used these CPU seconds before its work, for the start of the interpreter and for imports.
    before = resource.getrusage(resource.RUSAGE_SELF)
    yield record
    usage = resource.getrusage(resource.RUSAGE_SELF)
    own = [held.ru_utime + held.ru_stime for held in (before, usage)] + [peak_memory_mib()]
    held = gathered(own)
    startup, used, memory = (sum(column) for column in zip(*held, strict=True))
    if path is None:
        return
    if len(held) > 1:
        record["processes"] = len(held)
    record |= {
        "startup_cpu_seconds": round(startup, 3),
        "seconds": round(time.perf_counter() - started, 3),
        "cpu_seconds": round(used, 3),
        "peak_memory_mib": round(memory, 1),
        "machine": socket.gethostname(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "git_commit": git_commit(),
    }
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")


def peak_memory_mib() -> float:
    """Return the largest resident memory of this process so far.

    On Linux it is read from /proc, because the value of getrusage survives exec: it may be the peak of the process that
    started this one.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return round(int(line.split()[1]) / 1024, 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)


def git_commit() -> str | None:
    """Return the commit of the working directory, or None outside a repository or without git."""
    try:
        found = subprocess.run(
            ["git", "rev-parse", "--verify", "--quiet", "HEAD"], capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None
