"""Digests (SHA-256) of files, of JSON values and of the specs of jobs."""

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


FOREIGN = "file:"
"""The beginning of a digest under `upstream` that is of a file's own content, because no job of ours made the file."""


def spec_digest(spec: Mapping[str, Any]) -> str:
    """Return 16 hexadecimal digits that name a spec and, by its `upstream`, everything that came before it."""
    return digest(spec)[:16]


def foreign_digest(content: str, record: Mapping[str, Any] | None) -> str:
    """Return the digest of a file that no job of ours made: of its content and of the facts in a record beside it.

    content: its SHA-256. The facts of imported weights say what they were made for, and decide how they are sampled.
    """
    about = content if record is None else digest([content, record["facts"]])
    return FOREIGN + about[:16]
