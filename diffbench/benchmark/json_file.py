"""A reader of JSON files by others, which refuses large files and repeated keys."""

import json
from pathlib import Path
from typing import Any

from diffbench.base.errors import UserError
from diffbench.benchmark.bounded_file import read_bounded

LARGEST = 2**22
"""The most bytes of a file."""


def read_json_map(path: Path) -> dict[str, Any]:
    """Return the map in a JSON file. Raises: UserError naming the file if it is not a map."""
    content = read_bounded(path, LARGEST)
    try:
        value = json.loads(content.decode("utf-8-sig"), object_pairs_hook=_unique)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except (ValueError, RecursionError):
        raise UserError(f"{path}: not JSON") from None
    if not isinstance(value, dict):
        raise UserError(f"{path}: not JSON of a configuration")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise UserError(f"key '{key}' is written twice")
        found[key] = value
    return found
