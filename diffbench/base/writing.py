"""Files that are written whole or not at all."""

import errno
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from diffbench.base.errors import UserError

UNWRITABLE = {errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.ENOTDIR}
"""Errors of the file system that the user can fix."""


@contextmanager
def replacing(path: Path | str) -> Generator[Path]:
    """Yield a temporary path beside `path`. On success the temporary file replaces `path`, on error it is removed.

    A reader therefore sees either the old file or the complete new one. The data reach the disk before the rename.

    Raises: UserError if the folder cannot be written or the disk is full.
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
        # If the folder cannot be written, there is no temporary file, and the UserError above says why.
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
