"""Files that wait in a cache: taken only where they are whole."""

import sys
from pathlib import Path
from typing import Any

from diffbench.base.errors import UserError
from diffbench.base.inputs import checked
from diffbench.base.provenance_file import provenance_path


def whole(path: Path) -> dict[str, Any] | None:
    """Return the record of a file in a cache, or None where it must be made (again).

    The record is written last, so a file without one was cut off. A file that is not what its record says is damaged,
    which is said on stderr.
    """
    if not (path.is_file() and provenance_path(path).is_file()):
        return None
    try:
        return checked({"file": path}).records["file"]
    except UserError:
        sys.stderr.write(f"diffbench: note: {path} was damaged, and is made again\n")
        return None
