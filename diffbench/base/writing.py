"""Files that are written whole or not at all."""

import errno
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from diffbench.base.errors import UserError

UNWRITABLE = {errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.ENOTDIR}
"""Errors of the file system that a person can mend."""


@contextmanager
def replacing(path: Path | str) -> Generator[Path]:
    """Yield a temporary path beside `path`; on success it takes its place, on error it is removed.

    A reader therefore sees the old file or the whole new one. The data are on disk before the name is.

    Raises: UserError where the folder cannot be written or the disk is full.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        if error.errno in UNWRITABLE:
            reason = os.strerror(error.errno or 0)
            raise UserError(f"{path}: cannot be written ({reason}); free space or fix permissions") from error
        raise
    finally:
        # Where nothing can be written, nothing was, and the reason is on its way already.
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
