"""SHA-256 digests of files, of JSON values and of job specs."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def sha256(path: Path | str) -> str:
    """Return the hexadecimal SHA-256 of a file, read in blocks."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(value: Any) -> str:
    """Return the hexadecimal SHA-256 of a JSON value in canonical form."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


OMITTED: Mapping[str, bool] = {"omitted": True}
"""Metadata of a field that is not in the JSON if it has its default, so that jobs without it keep their digest."""

FOREIGN = "file:"
"""The prefix of a digest of a file's content. `upstream` has such a digest for a file that no diffbench job made."""


def spec_digest(spec: Mapping[str, Any]) -> str:
    """Return 16 hexadecimal digits that identify a spec and, through its `upstream`, all jobs that it depends on."""
    return digest(spec)[:16]


def foreign_digest(content: str, record: Mapping[str, Any] | None) -> str:
    """Return the digest of a file that no diffbench job made.

    It covers the file's content and the facts in the record beside it, if there is one: the facts of imported weights
    decide how they are sampled. content: the SHA-256 of the file.
    """
    about = content if record is None else digest([content, record["facts"]])
    return FOREIGN + about[:16]
