"""Listings of a folder or a zip archive, by name: pictures, other files, and what is not looked into."""

import os
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from diffbench.base.errors import UserError
from diffbench.datasets._decode import FORMATS

SUFFIXES = tuple(sorted(suffix for suffixes in FORMATS.values() for suffix in suffixes))
"""Endings of the files that are read, in any case. Other files and hidden ones are left out, counted and reported."""

OF_SYSTEMS = ("__MACOSX", "@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information", "lost+found")
"""Folders that operating systems and network storage make; some hold copies or thumbnails of pictures."""

OF_VIEWERS = ("thumbs.db", "ehthumbs.db", "desktop.ini")
"""Files that Windows makes."""

SPLIT_NAMES = ("train", "test", "val", "validation")
"""Folders that are splits. An archive may hold only one of them, and still that one is a split."""


@dataclass(frozen=True)
class Listing:
    """What lies below a root, by sorted posix names relative to it.

    others: files whose ending is not read. hidden: what is not looked into. again: folders that are not entered,
    because they are read under another name or hold the root.
    """

    pictures: list[str]
    folders: list[str]
    others: list[str]
    hidden: list[str]
    again: list[str]


def on_disk(root: Path) -> Listing:
    """Return what lies below a folder. Raises: UserError if a folder cannot be looked into."""
    again: list[str] = []
    return _listed(_walked(root, again), again)


def in_archive(names: Iterable[str]) -> Listing:
    """Return what lies in an archive, whose members have these names."""
    return _listed(names, [])


def members_of(archive: zipfile.ZipFile, where: str) -> dict[str, zipfile.ZipInfo]:
    """Return an archive's members by their names below the one folder that holds everything, if there is one.

    Raises: UserError if two of them have one name.
    """
    found: dict[str, zipfile.ZipInfo] = {}
    for member in archive.infolist():
        # Some programs on Windows write backslashes; some on Unix begin names with "./".
        name = member.filename.replace("\\", "/")
        plain = PurePosixPath(name.lstrip("/")).as_posix() + ("/" if name.endswith("/") else "")
        if plain in found and not plain.endswith("/"):
            raise UserError(f"{where}: holds {plain} twice; pack it again")
        found[plain] = member
    inside = _wrapping([name for name in found if not any(map(_is_hidden, PurePosixPath(name).parts))])
    return {
        name.removeprefix(inside): member
        for name, member in found.items()
        if name not in (inside, "./") and name.startswith(inside)
    }


def _listed(names: Iterable[str], again: list[str]) -> Listing:
    pictures: list[str] = []
    others: list[str] = []
    hidden: set[str] = set()
    folders = {""}
    for name in names:
        parts = name.rstrip("/").split("/")
        shown = next((i for i, part in enumerate(parts) if _is_hidden(part)), None)
        if shown is not None:
            hidden.add("/".join(parts[: shown + 1]))
            continue
        folder = name.rpartition("/")[0]
        if folder not in folders:
            pieces = folder.split("/")
            folders |= {"/".join(pieces[:end]) for end in range(1, len(pieces) + 1)}
        if not name.endswith("/"):
            (pictures if name.lower().endswith(SUFFIXES) else others).append(name)
    return Listing(sorted(pictures), sorted(folders - {""}), sorted(others), sorted(hidden), sorted(again))


def _walked(root: Path, again: list[str]) -> Iterator[str]:
    """Yield names; those of folders end with "/". Folders that are not entered are appended to `again`.

    Each folder is entered once, by its device and number: links may lead back, or to a folder that is read anyway.
    """
    # The folders around the root are not entered: a link to one of them would add all of the root's neighbours.
    entered = {_identity(parent) for parent in root.resolve().parents}
    folders, links = [""], []
    while folders or links:
        # Links come last, so that the folder itself is read and not the link to it.
        prefix = folders.pop() if folders else links.pop(0)
        identity = _identity(root / prefix)
        if identity in entered:
            again.append(prefix)
            continue
        entered.add(identity)
        for entry in _entries(root / prefix, f"{root}/{prefix}"):
            name = prefix + entry.name
            if not _is_folder(entry):
                yield name
                continue
            yield f"{name}/"
            if not _is_hidden(entry.name):
                (links if entry.is_symlink() else folders).append(f"{name}/")


def _wrapping(names: list[str]) -> str:
    """Return the one folder that holds everything in an archive, with "/"; "" if there is none or it is a split."""
    tops = {name.split("/")[0] for name in names}
    alone = len(tops) == 1 and all("/" in name for name in names)
    return f"{min(tops)}/" if alone and not tops & set(SPLIT_NAMES) else ""


def _is_hidden(part: str) -> bool:
    return part.startswith(".") or part in OF_SYSTEMS or part.lower() in OF_VIEWERS


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself; reading it will say so
        return False


def _entries(folder: Path, where: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise UserError(f"{where}: cannot be read ({error.strerror})") from None


def _identity(folder: Path) -> tuple[int, int]:
    state = os.stat(folder)
    return state.st_dev, state.st_ino
