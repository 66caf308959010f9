"""A lock on a folder against a second writer."""

import errno
import sys
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from filelock import FileLock, Timeout

from diffbench.base.errors import UserError

NO_LOCKS = {errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK}
"""Errors of a file system that has no locks, such as some network mounts."""


@contextmanager
def exclusive(folder: Path | str) -> Generator[Path]:
    """Yield `folder`, which is created and locked against a second writer until the block or this process ends.

    If the file system has no locks, a warning goes to stderr and the work goes on without a lock. A lock file would not
    do instead: it would outlive a killed process and stop every later run.
    Raises: UserError if another running process holds the lock, or the folder cannot be written.
    """
    folder = Path(folder)
    lock = FileLock(folder / ".lock", blocking=False, fallback_to_soft=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise UserError(f"{folder}: another process is at work there; wait for it or end it") from None
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise UserError(f"{folder}: cannot be written ({error.strerror}); fix permissions or free space") from error
        _warn_of_no_locks(folder.parent)
    try:
        yield folder
    finally:
        lock.release()


@cache
def _warn_of_no_locks(place: Path) -> None:
    sys.stderr.write(f"diffbench: {place}: this file system has no locks; let no second run work there\n")
