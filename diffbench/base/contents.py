"""What files that somebody else made hold, as hashes that are remembered outside of any project.

Raw data and foreign weights have no record beside them, so what lies at their path is hashed. A hash is remembered with
the file's size, times and inode, so that a file is read once and not at every start of the workflow.
"""

import hashlib
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from diffbench.base.digests import sha256
from diffbench.base.errors import UserError

SETTLED = 2 * 10**9
"""Nanoseconds after which a file's time tells a later change; a younger file is hashed again each time."""

ABSENT = "absent"
"""In the place of a hash, where nothing was there to be hashed: a data set that is yet to be downloaded."""

TABLE = "CREATE TABLE IF NOT EXISTS files (path TEXT PRIMARY KEY, state TEXT NOT NULL, sha256 TEXT NOT NULL)"


def memory() -> Path:
    """Return the file in which hashes are remembered, in the user's cache folder."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "diffbench" / "contents.sqlite"


def files_below(path: Path) -> Iterator[Path]:
    """Yield the regular files below a folder in the order of their names, hidden ones left out; a file is itself.

    A link is followed once: a folder that contains itself is read one time.
    """
    if not path.is_dir():
        yield path
        return
    seen: set[tuple[int, int]] = set()
    for folder, subfolders, files in os.walk(path, followlinks=True):
        here = os.stat(folder)
        if (here.st_dev, here.st_ino) in seen:
            subfolders.clear()
            continue
        seen.add((here.st_dev, here.st_ino))
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        found = (Path(folder, name) for name in sorted(files) if not name.startswith("."))
        yield from (file for file in found if file.is_file())


def content_of(path: Path, files: Iterable[Path] | None = None) -> str | None:
    """Return the SHA-256 of a file, or of the names and contents of a folder's files; None where nothing is there.

    files: those that count, where not all below the folder do. Raises: UserError naming the file that cannot be read.
    """
    if not path.exists():
        return None
    try:
        with closing(_remembered()) as known:
            if path.is_file():
                return _hash(path, known)
            total = hashlib.sha256()
            for file in files_below(path) if files is None else sorted(files):
                total.update(os.fsencode(file.relative_to(path)) + b"\0" + _hash(file, known).encode() + b"\0")
            return total.hexdigest()
    except OSError as error:
        raise UserError(f"{error.filename or path}: cannot be read ({error.strerror or error})") from None


def source_of(dataset: Any) -> str | None:
    """Return the hash of what a data set is read from, None where nothing is there, or it ships with a package.

    A data set may say which files count (`source_files`): a note beside the pictures changes nothing.
    Raises: UserError naming what cannot be read.
    """
    path = dataset.path
    if not isinstance(path, str) or not Path(path).exists():
        return None
    files = dataset.source_files()
    return None if files == [] else content_of(Path(path), files)


def _remembered() -> sqlite3.Connection:
    """Return the store of hashes, one in memory where the user's cannot be written or read."""
    path = memory()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Each entry is written by itself: a run that hashes for an hour holds up no other, and loses nothing if killed.
        known = sqlite3.connect(path, timeout=5, isolation_level=None)
        known.execute(TABLE)
    except (OSError, sqlite3.Error):
        known = sqlite3.connect(":memory:", isolation_level=None)
        known.execute(TABLE)
    return known


def _hash(file: Path, known: sqlite3.Connection) -> str:
    held = file.stat()
    # The time of the last change of the inode cannot be set back, as that of the content can.
    state = f"{held.st_size} {held.st_mtime_ns} {held.st_ctime_ns} {held.st_dev} {held.st_ino}"
    place = str(file.absolute())
    # Whatever ails the memory (read-only, busy, damaged), the hash can be had without it.
    with suppress(sqlite3.Error):
        found = known.execute("SELECT sha256 FROM files WHERE path = ? AND state = ?", (place, state)).fetchone()
        if found is not None:
            return found[0]
    content = sha256(file)
    if time.time_ns() - held.st_ctime_ns > SETTLED:
        with suppress(sqlite3.Error):
            known.execute("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", (place, state, content))
    return content
