"""The care of a results tree around a run: old locks, records that are links, and full disks."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from diffbench.base.errors import UserError


def forget_dead_runs(home: Path, say: Callable[[str], object]) -> TextIO:
    """Return a locked file after removing Snakemake's locks if no other run is alive. It must stay open during the run.

    Every live run has a shared lock on the file, so a run that gets an exclusive lock is the only one. If two runs
    start at once, one removes the old locks while the other waits. say: called if the file system cannot lock files.
    """
    alive = _alive(home)
    folder = Path(alive.name).parent
    try:
        # If another run is alive, there is no exclusive lock for us, and Snakemake's locks must stay.
        with suppress(BlockingIOError):
            fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for lock in (folder / "locks").glob("*.lock"):
                lock.unlink(missing_ok=True)
        fcntl.flock(alive, fcntl.LOCK_SH)
    except OSError as error:
        if error.filename is not None:
            raise
        say(
            f"{folder}: this file system cannot lock files ({error.strerror}), so a run that was killed looks like "
            "one that is alive; run one at a time, and give `snakemake --unlock` after one was killed"
        )
    return alive


def join_run(home: Path) -> TextIO:
    """Return a file whose shared lock says that a run's job is alive. It must stay open during the job."""
    alive = _alive(home)
    with suppress(OSError):  # The file system has no locks. The run has said so.
        fcntl.flock(alive, fcntl.LOCK_SH | fcntl.LOCK_NB)
    return alive


@contextmanager
def alone_in(home: Path) -> Iterator[None]:
    """Keep runs of the workflow out of a tree: a run that starts now waits until the end of the block.

    Raises: UserError if a run is alive in it.
    """
    with _alive(home) as alive:
        try:
            fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"{home}: another run is at work there; wait for it or end it") from None
        except OSError:
            pass  # The file system has no locks. The workflow warns of this at its start.
        yield


def _alive(home: Path) -> TextIO:
    """Return the open file on which the live runs of a tree have their locks."""
    folder = home / ".snakemake"
    folder.mkdir(parents=True, exist_ok=True)
    return open(folder / "alive", "w")


def unlink_records(home: Path) -> None:
    """Replace records that are links into DVC's cache by plain files, because Snakemake writes records in place."""
    for record in (home / ".snakemake/metadata").rglob("*"):
        if record.is_symlink() or (record.is_file() and record.stat().st_nlink > 1):
            content = record.read_bytes()
            record.unlink()
            record.write_bytes(content)


def write_protected(table: Path) -> str | None:
    """Return what to do if a table is a write-protected link into DVC's cache; None if it is not."""
    if not table.is_file() or table.is_symlink() or os.access(table, os.W_OK):
        return None
    return (
        "results are write-protected links into DVC's cache; to repeat a job that made one, first run "
        "`dvc config cache.type reflink,copy && dvc checkout --relink`"
    )


def full_disk(home: Path) -> str | None:
    """Return a line if a tree's disk is full; None if it is not. A failed job's log then has no room for the reason."""
    if shutil.disk_usage(home).free < 2**20:
        return f"{home}: the disk is full; free space, and the same command goes on"
    return None
