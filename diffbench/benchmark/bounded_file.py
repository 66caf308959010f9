"""A reader of small files by others, which refuses files above a size."""

import stat
from pathlib import Path

from diffbench.base.errors import UserError


def read_bounded(path: Path, most: int) -> bytes:
    """Return the bytes of a file. Raises: UserError naming it if it has more than `most`, or is no regular file."""
    try:
        # A read of a device, or of a pipe that nobody writes to, would never end.
        if not stat.S_ISREG(path.stat().st_mode):
            raise UserError(f"{path}: not a file")
        with open(path, "rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    if len(content) > most:
        raise UserError(f"{path}: longer than {most} bytes, the most that is read")
    return content
