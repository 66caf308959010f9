"""Small files that others wrote, read whole and no further than a bound."""

import stat
from pathlib import Path

from diffbench.base.errors import UserError


def read_bounded(path: Path, most: int) -> bytes:
    """Return the bytes of a regular file that has at most so many. Raises: UserError naming the file otherwise."""
    try:
        # Of a pipe that nobody writes to, or a device, there is no end.
        if not stat.S_ISREG(path.stat().st_mode):
            raise UserError(f"{path}: not a file")
        with open(path, "rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    if len(content) > most:
        raise UserError(f"{path}: longer than {most} bytes, the most that is read")
    return content
