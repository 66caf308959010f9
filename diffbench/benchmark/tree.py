"""A tree of results around a run: locks and records that others left, and why jobs failed."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from diffbench.base.errors import UserError
from diffbench.base.provenance_file import RESULTS
from diffbench.benchmark.paths import COMPARED


def forget_dead_runs(home: Path, say: Callable[[str], object]) -> TextIO:
    """Clear Snakemake's locks if no run is alive in a tree. Returns: a file whose lock lives as long as this process.

    A live run shares the lock on the file, and whoever gets it alone is the only one. Of two runs that start at once,
    one clears what dead ones left while the other waits for its share. say: told where the file system cannot lock.
    """
    folder = home / ".snakemake"
    folder.mkdir(parents=True, exist_ok=True)
    alive = open(folder / "alive", "w")
    try:
        # Another that is alive, and then Snakemake's locks are in force, lets us have no exclusive one.
        with suppress(BlockingIOError):
            fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for lock in (folder / "locks").glob("*.lock"):
                lock.unlink(missing_ok=True)
        fcntl.flock(alive, fcntl.LOCK_SH)
    except OSError as error:
        if error.filename is not None:
            raise
        say(
            f"{folder}: this file system cannot lock files ({error.strerror}), so a run that was killed is not told "
            "from one that is alive; run one at a time, and `snakemake --unlock` after one was killed"
        )
    return alive


@contextmanager
def alone_in(home: Path) -> Iterator[None]:
    """Keep runs of the workflow out of a tree: one that starts waits until the end of the block.

    Raises: UserError where one is alive.
    """
    folder = home / ".snakemake"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "alive", "w") as alive:
        try:
            fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"{home}: another run is at work there; wait for it or end it") from None
        except OSError:
            pass  # a file system without locks; whoever runs the workflow there is told
        yield


def unlink_records(home: Path) -> None:
    """Make plain files of records that DVC has linked into its cache: Snakemake writes records in place."""
    for record in (home / ".snakemake/metadata").rglob("*"):
        if record.is_symlink() or (record.is_file() and record.stat().st_nlink > 1):
            content = record.read_bytes()
            record.unlink()
            record.write_bytes(content)


def write_protected(table: Path) -> str | None:
    """Return what to do about a table that is a write-protected link into DVC's cache, None where it is none."""
    if not table.is_file() or table.is_symlink() or os.access(table, os.W_OK):
        return None
    return (
        "results are write-protected links into DVC's cache; to repeat a job that made one, first run "
        "`dvc config cache.type reflink,copy && dvc checkout --relink`"
    )


def reasons_of_failure(home: Path, since: float) -> Iterator[str]:
    """Yield the one line with which each stage ended that failed in a run. since: when the run began.

    Where the disk is full, logs have no room for a reason, and this is one.
    """
    logs = [*(home / RESULTS / "logs").rglob("*.log"), *(home / COMPARED).glob("n*/logs/**/*.log")]
    for log in sorted(logs):
        if log.stat().st_mtime >= since - 1:
            lines = log.read_text(errors="replace").splitlines()
            yield from (line.removeprefix("diffbench: ") for line in lines if line.startswith("diffbench: "))
    if shutil.disk_usage(home).free < 2**20:
        yield f"{home}: the disk is full; free space, and the same command goes on"
