"""Hashes of files that diffbench did not make, remembered in the user's cache folder.

Raw data and foreign weights have no record beside them, so their content is hashed. A hash is remembered with the
file's size, times and inode, so that a file is read once and not at every start of the workflow.
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
"""The least age of a file, in nanoseconds, at which its hash is remembered.

A file that was just changed may change again without a change of its times, so it is hashed again each time."""

ABSENT = "absent"
"""In the place of a hash of a path that does not exist, such as a data set that is yet to be downloaded."""

TABLE = "CREATE TABLE IF NOT EXISTS files (path TEXT PRIMARY KEY, state TEXT NOT NULL, sha256 TEXT NOT NULL)"


def memory() -> Path:
    """Return the file in which hashes are remembered, in the user's cache folder."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "diffbench" / "contents.sqlite"


def files_below(path: Path) -> Iterator[Path]:
    """Yield the regular files below a folder in the order of their names, without hidden ones; for a file, the file.

    Links are followed, but each folder is read once, even if it contains a link to itself.
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
    """Return the SHA-256 of a file, or of the names and contents of a folder's files; None if it does not exist.

    files: the files that count, if not all files below the folder do.
    Raises: UserError naming the file that cannot be read.
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
    """Return the hash of a data set's source; None if its path does not exist, or the data ship with a package.

    A data set may say which files count (`source_files`), so that a note beside the pictures changes nothing.
    Raises: UserError naming the file that cannot be read.
    """
    path = dataset.path
    if not isinstance(path, str) or not Path(path).exists():
        return None
    files = dataset.source_files()
    return None if files == [] else content_of(Path(path), files)


def _remembered() -> sqlite3.Connection:
    """Return the store of hashes; it is in memory if the one in the user's cache folder cannot be used."""
    path = memory()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Each entry is written at once, so that a long run does not block another, and loses nothing if it is killed.
        known = sqlite3.connect(path, timeout=5, isolation_level=None)
        known.execute(TABLE)
    except (OSError, sqlite3.Error):
        known = sqlite3.connect(":memory:", isolation_level=None)
        known.execute(TABLE)
    return known


def _hash(file: Path, known: sqlite3.Connection) -> str:
    held = file.stat()
    # The inode's time of change is part of it because, unlike the content's, no program can set it back.
    state = f"{held.st_size} {held.st_mtime_ns} {held.st_ctime_ns} {held.st_dev} {held.st_ino}"
    place = str(file.absolute())
    # If the store fails (read-only, busy, damaged), the file is simply hashed again.
    with suppress(sqlite3.Error):
        found = known.execute("SELECT sha256 FROM files WHERE path = ? AND state = ?", (place, state)).fetchone()
        if found is not None:
            return found[0]
    content = sha256(file)
    if time.time_ns() - held.st_ctime_ns > SETTLED:
        with suppress(sqlite3.Error):
            known.execute("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", (place, state, content))
    return content
