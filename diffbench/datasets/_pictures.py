"""Picture files below a folder or in a zip archive, by their paths relative to it."""

import json
import os
import stat
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import IO

import numpy as np
from jaxtyping import UInt8

from diffbench.base.arrays import Bytes
from diffbench.base.errors import UserError
from diffbench.datasets import _decode
from diffbench.datasets._crop import Crop
from diffbench.datasets._decode import FORMATS, Header, decoded
from diffbench.datasets._noticed import Noticed
from diffbench.datasets._split import CHUNK, MissingDataError

SUFFIXES = tuple(sorted(suffix for suffixes in FORMATS.values() for suffix in suffixes))
"""Endings of the files that are read, in any case. Others are left out, counted and said, as are hidden files."""

OF_SYSTEMS = ("__MACOSX", "@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information", "lost+found")
"""Folders that operating systems and network storage make; some hold copies or thumbnails of pictures."""

OF_VIEWERS = ("thumbs.db", "ehthumbs.db", "desktop.ini")
"""Files that Windows makes."""

SPLIT_NAMES = ("train", "test", "val", "validation")
"""Folders that are splits and no wrapping, also where an archive holds but one of them."""

LABELS = "dataset.json"
"""Where EDM's and StyleGAN's dataset_tool keep labels: {"labels": [["00000/img00000000.png", 6], ...]}."""

LARGEST = 2**30
"""Bytes of a picture's file: more than 179 million pixels take uncompressed, the most that Pillow decodes."""


@dataclass(frozen=True)
class Listing:
    """What lies below a root, by posix names relative to it.

    others: files whose ending is not read. hidden: what is not looked into. again: folders under a second name, or
    around the root, which are not entered.
    """

    pictures: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    again: list[str] = field(default_factory=list)


class PictureTree:
    """Names (posix, relative, sorted) of pictures and folders, and their bytes.

    Raises: UserError where `root` is neither a folder nor a zip archive.
    """

    def __init__(self, root: Path):
        self.root = root
        if not root.exists():
            raise MissingDataError(f"{root}: no such folder; set the data set's 'path'")
        self._archive = None
        if not root.is_dir():
            self._archive = _opened_archive(root)
        self._seen: dict[int, int] = {}
        self.noticed = self.noticing()

    def noticing(self) -> Noticed:
        """Return a new count of what is noticed, which finds copies of all pictures that the tree has read."""
        return Noticed(self._seen)

    @cached_property
    def listing(self) -> Listing:
        """What lies below the root."""
        found = Listing()
        names = self._names_on_disk(found.again) if self._archive is None else iter(self._members)
        folders: set[str] = set()
        hidden: set[str] = set()
        for name in names:
            parts = PurePosixPath(name).parts
            shown = next((i for i, part in enumerate(parts) if _is_hidden(part)), None)
            if shown is not None:
                hidden.add("/".join(parts[: shown + 1]))
                continue
            folders |= {"/".join(parts[:end]) for end in range(1, len(parts) + name.endswith("/"))}
            if not name.endswith("/"):
                (found.pictures if name.lower().endswith(SUFFIXES) else found.others).append(name)
        found.hidden.extend(sorted(hidden))
        found.folders.extend(sorted(folders))
        for names in (found.pictures, found.others):
            names.sort()
        return found

    @property
    def pictures(self) -> list[str]:
        """The pictures' names."""
        return self.listing.pictures

    @property
    def folders(self) -> list[str]:
        """The folders' names."""
        return self.listing.folders

    def notes(self, *, elsewhere: tuple[str, ...] = ()) -> list[str]:
        """Return what names tell: what is not read, such as "left out: 30 of .heic, 1 hidden", and likely twins.

        elsewhere: beginnings of names that somebody else speaks of, such as another split's folder.
        """

        def own(names: list[str]) -> list[str]:
            return [name for name in names if not f"{name}/".startswith(elsewhere)]

        others = [PurePosixPath(name) for name in own(self.listing.others)]
        endings = Counter(path.suffix.lower() for path in others if path.name != LABELS)
        words = [f"{count} of {ending}" for ending, count in sorted(endings.items()) if ending]
        words += [f"{endings['']} without an ending"] if endings[""] else []
        hidden, again = own(self.listing.hidden), own(self.listing.again)
        words += [f"{len(hidden)} hidden or of an operating system"] if hidden else []
        words += [f"{_named(again)}, read under another name"] if again else []
        notes = [f"left out: {', '.join(words)}"] if words else []
        pictures = own(self.pictures)
        alike = len(pictures) - len({os.path.splitext(name)[0].lower() for name in pictures})
        return [*notes, f"{alike} called as another, but for the ending"] if alike else notes

    def summary(self, noticed: Noticed | None = None) -> str:
        """Return how many pictures there are, what was left out, and what was noticed of those that were read so far.

        noticed: what counted it, the tree's own otherwise.
        """
        notes = [*self.notes(), *(noticed or self.noticed).notes()]
        return " ".join("; ".join([f"{len(self.pictures)} pictures", *notes]).split())

    def where(self, name: str) -> str:
        """Return a picture's full name, for messages."""
        return f"{self.root}/{name}"

    def read(self, name: str) -> bytes:
        """Return a file's bytes. Raises: UserError where they cannot be read."""
        with self.stream(name) as stream:
            return stream.read()

    @contextmanager
    def stream(self, name: str) -> Iterator[IO[bytes]]:
        """Yield a file to read from; of an archive, it is unpacked only as far as it is read. Raises: as `read`."""
        try:
            with self._opened(name) as stream:
                yield stream
        except UserError:
            raise
        # Unpacking fails in many ways (OSError, RuntimeError, zlib.error, lzma.LZMAError, ...), all of them a bad file.
        except Exception as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise UserError(f"{self.where(name)}: cannot be read ({reason or type(error).__name__})") from None

    def header(self, name: str) -> tuple[bytes, Header]:
        """Return a picture's bytes and what its header states, and count it in `noticed`. Raises: UserError."""
        content, where = self.read(name), self.where(name)
        self.noticed.content(content, where)
        return content, _decode.header(content, where, self.noticed)

    def header_shape(self, name: str, channels: int) -> tuple[int, int, int]:
        """Return the height and width that a picture's header states, and `channels`. Raises: UserError."""
        with self.stream(name) as stream:
            return _decode.header_shape(stream, channels, self.where(name))

    def chunks(
        self, names: Sequence[str], channels: int, crop: Crop | None, noticed: Noticed | None = None
    ) -> Iterator[Bytes]:
        """Yield the pictures in pieces, decoded while they are asked for.

        noticed: what counts them, the tree's own otherwise.
        """
        counting = noticed or self.noticed
        for start in range(0, len(names), CHUNK):
            pixels = []
            for name in names[start : start + CHUNK]:
                content, where = self.read(name), self.where(name)
                counting.content(content, where)
                pixels.append(decoded(content, channels, where, crop, counting))
            yield np.stack(pixels)

    def picture(self, name: str, channels: int, crop: Crop | None) -> UInt8[np.ndarray, "height width channel"]:
        """Return a picture, decoded and cropped. Raises: UserError where it cannot be."""
        return decoded(self.read(name), channels, self.where(name), crop)

    def labels(self, name: str) -> dict[str, int] | None:
        """Return the labels of pictures that a dataset.json holds, empty where it says that they have none.

        None: the file is of another kind. Raises: UserError where labels are not class numbers, or are of pictures
        that are not there.
        """
        where, folder = self.where(name), name.removesuffix(LABELS)
        content = self.read(name)
        try:
            found = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{where}: not JSON ({error}); make the data set again") from None
        if not isinstance(found, dict) or "labels" not in found:
            return None
        labels = _labels_by_name(found["labels"] or [], folder, where)
        absent = sorted(set(labels) - set(self.pictures))
        if absent:
            raise UserError(
                f"{where}: has a label for {absent[0]}, which is not there ({len(absent)} of {len(labels)} are not); "
                "copy the data set again"
            )
        return labels

    @contextmanager
    def _opened(self, name: str) -> Iterator[IO[bytes]]:
        if self._archive is None:
            path = self.root / name
            state = os.stat(path)
            # Not even opened: opening a pipe waits for its writer, and some devices never end.
            if not stat.S_ISREG(state.st_mode):
                raise UserError(f"{path}: is no regular file; remove it")
            _require_small(state.st_size, self.where(name))
            with open(path, "rb") as stream:
                yield stream
            return
        member = self._members[name]
        _require_small(member.file_size, self.where(name))
        with self._archive.open(member) as stream:
            yield stream

    def _names_on_disk(self, again: list[str]) -> Iterator[str]:
        """Yield names, folders' with a "/" behind; those that are not entered are appended to `again`.

        Each folder is entered once, by its device and number: links may lead back, or to a folder that is read anyway.
        """
        root = self.root.resolve()
        # What lies around the root holds it: a link to there would add all of the root's neighbours.
        entered = {_identity(parent) for parent in root.parents}
        folders, links = [""], []
        while folders or links:
            # Links last, so that it is the folder itself that is read.
            prefix = folders.pop() if folders else links.pop(0)
            identity = _identity(root / prefix)
            if identity in entered:
                again.append(prefix)
                continue
            entered.add(identity)
            for entry in _entries(root / prefix, self.where(prefix)):
                name = prefix + entry.name
                if not _is_folder(entry):
                    yield name
                    continue
                yield f"{name}/"
                if not _is_hidden(entry.name):
                    (links if entry.is_symlink() else folders).append(f"{name}/")

    @cached_property
    def _members(self) -> dict[str, zipfile.ZipInfo]:
        """An archive's members by their names below the one folder that holds everything, if there is one.

        Raises: UserError where two of them have one name.
        """
        assert self._archive is not None
        found: dict[str, zipfile.ZipInfo] = {}
        for member in self._archive.infolist():
            # Some programs of Windows write backslashes, others of Unix begin with "./".
            name = member.filename.replace("\\", "/")
            plain = PurePosixPath(name.lstrip("/")).as_posix() + ("/" if name.endswith("/") else "")
            if plain in found and not plain.endswith("/"):
                raise UserError(f"{self.root}: holds {plain} twice; pack it again")
            found[plain] = member
        inside = _wrapping([name for name in found if not any(map(_is_hidden, PurePosixPath(name).parts))])
        return {
            name.removeprefix(inside): member
            for name, member in found.items()
            if name not in (inside, "./") and name.startswith(inside)
        }


def class_of(name: str) -> str:
    """Return the first folder of a name, "" for a picture that lies in none."""
    return name.split("/")[0] if "/" in name else ""


def _opened_archive(root: Path) -> zipfile.ZipFile:
    if not root.is_file():
        raise UserError(f"{root}: neither a folder nor a regular file; set the data set's 'path'")
    try:
        return zipfile.ZipFile(root)
    except PermissionError:
        raise
    # A damaged directory of an archive fails in many ways (BadZipFile, struct.error, UnicodeDecodeError, ...).
    except Exception:
        raise UserError(f"{root}: neither a folder nor a zip archive; set the data set's 'path'") from None


def _wrapping(names: list[str]) -> str:
    """Return the one folder, with "/", that holds everything in an archive, "" where there is none or it is a split."""
    tops = {name.split("/")[0] for name in names}
    alone = len(tops) == 1 and all("/" in name for name in names)
    return f"{min(tops)}/" if alone and not tops & set(SPLIT_NAMES) else ""


def _labels_by_name(rows: object, folder: str, where: str) -> dict[str, int]:
    labels: dict[str, int] = {}
    if not isinstance(rows, list):
        raise UserError(f"{where}: 'labels' is neither a list of [name, label] nor null; make the data set again")
    for row in rows:
        pair = row if isinstance(row, list) and len(row) == 2 and isinstance(row[0], str) else [row, None]
        name, label = pair
        if not isinstance(label, int) or isinstance(label, bool) or label < 0:
            raise UserError(f"{where}: {json.dumps(row)[:80]} is not [name, class number]; only those are read")
        full = folder + name.replace("\\", "/")
        if labels.setdefault(full, label) != label:
            raise UserError(f"{where}: two labels for {name}; make the data set again")
    return labels


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


def _require_small(size: int, where: str) -> None:
    if size > LARGEST:
        raise UserError(f"{where}: takes {size} bytes, and a picture may take {LARGEST}; remove it")


def _named(names: list[str]) -> str:
    shown = ", ".join(name.rstrip("/") for name in sorted(names)[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more folders"
