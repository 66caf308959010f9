"""Paths as people write them, with `~` for a home folder."""

import os
from pathlib import Path

from diffbench.base.errors import UserError

LONGEST_NAME, LONGEST_PATH = 255, 4095
"""The most bytes that file systems allow in a name and in a path."""


def user_path(text: Path | str) -> Path:
    """Return a path with its `~` or `~name` replaced. Raises: UserError if no file can have that path."""
    if "\0" in str(text):
        raise UserError(f"{str(text)!r}: a path cannot contain a zero byte")
    try:
        path = Path(text).expanduser()
    except RuntimeError:
        raise UserError(f"{text}: no user of that name, so its ~ cannot be replaced") from None
    longest = max((len(os.fsencode(part)) for part in path.parts), default=0)
    if longest > LONGEST_NAME or len(os.fsencode(path)) > LONGEST_PATH:
        raise UserError(f"{str(text)[:40]}...: longer than file systems allow ({LONGEST_NAME} bytes for a name)")
    return path
