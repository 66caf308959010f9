"""A check that a file in the cache is undamaged."""

import sys
from pathlib import Path
from typing import Any

from diffbench.base.errors import UserError
from diffbench.base.inputs import checked
from diffbench.base.provenance_file import provenance_path


def whole(path: Path) -> dict[str, Any] | None:
    """Return the record of a file in a cache; None if the file must be made (again).

    The record is written last, so a file without one is not finished. A file that differs from its record is damaged,
    and stderr gets a note.
    """
    if not (path.is_file() and provenance_path(path).is_file()):
        return None
    try:
        return checked({"file": path}).records["file"]
    except UserError:
        sys.stderr.write(f"diffbench: note: {path} was damaged, and is made again\n")
        return None
