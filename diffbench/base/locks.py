"""A folder locked against a second writer."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from diffbench.base.errors import UserError


@contextmanager
def exclusive(folder: Path | str) -> Iterator[Path]:
    """Yield `folder`, created and locked against a second writer until the end or the death of this process.

    Raises: UserError where another living process holds it.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / ".lock", "w")  # noqa: SIM115  (held for the length of the block)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror}); fix permissions or free space") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"{folder}: another process is at work there; wait for it or end it") from None
        yield folder
