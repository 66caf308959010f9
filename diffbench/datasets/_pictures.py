"""Picture files below a folder or in a zip archive, by their paths relative to it."""

import os
import stat
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import IO

import numpy as np
from jaxtyping import UInt8

from diffbench.base.arrays import Bytes
from diffbench.base.errors import UserError
from diffbench.datasets import _decode
from diffbench.datasets._crop import Crop
from diffbench.datasets._decode import Header, decoded
from diffbench.datasets._edm_labels import LABELS, labels_in
from diffbench.datasets._listing import SUFFIXES, Listing, in_archive, members_of, on_disk
from diffbench.datasets._noticed import Noticed
from diffbench.datasets._split import CHUNK, MissingDataError, Pictures

__all__ = ["LABELS", "SUFFIXES", "PictureTree", "class_of"]

LARGEST = 2**30
"""The most bytes of a picture's file: more than 179 million pixels, the most that Pillow decodes, take uncompressed."""


class PictureTree:
    """The pictures and folders below a root, by name (posix, relative, sorted), and their bytes.

    Raises: UserError if `root` is neither a folder nor a zip archive.
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
        """Return a new count of what is noticed. It finds copies of all pictures that the tree has read."""
        return Noticed(self._seen)

    @cached_property
    def listing(self) -> Listing:
        """What lies below the root."""
        return on_disk(self.root) if self._archive is None else in_archive(self._members)

    @property
    def pictures(self) -> list[str]:
        """The pictures' names."""
        return self.listing.pictures

    @property
    def folders(self) -> list[str]:
        """The folders' names."""
        return self.listing.folders

    @property
    def source_files(self) -> list[Path]:
        """The files that images and labels come from: the archive, or pictures and labels on disk."""
        if self._archive is not None:
            return [self.root]
        labels = [name for name in self.listing.others if PurePosixPath(name).name == LABELS]
        return [self.root / name for name in (*self.pictures, *labels)]

    def notes(self, *, elsewhere: tuple[str, ...] = ()) -> list[str]:
        """Return what names tell: what is not read, such as "left out: 30 of .heic, 1 hidden", and likely twins.

        elsewhere: beginnings of names that are reported elsewhere, such as another split's folder.
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
        return [*notes, f"{alike} with the name of another and a different ending"] if alike else notes

    def summary(self, noticed: Noticed | None = None) -> str:
        """Return how many pictures there are, what was left out, and what was noticed of those that were read so far.

        noticed: the count to report, the tree's own if None.
        """
        notes = [*self.notes(), *(noticed or self.noticed).notes()]
        return " ".join("; ".join([f"{len(self.pictures)} pictures", *notes]).split())

    def where(self, name: str) -> str:
        """Return a picture's full name, for messages."""
        return f"{self.root}/{name}"

    def read(self, name: str) -> bytes:
        """Return a file's bytes. Raises: UserError if they cannot be read."""
        with self.stream(name) as stream:
            return stream.read()

    @contextmanager
    def stream(self, name: str) -> Iterator[IO[bytes]]:
        """Yield a file to read from. In an archive, it is unpacked only as far as it is read. Raises: as `read`."""
        try:
            with self._opened(name) as stream:
                yield stream
        except UserError:
            raise
        # Unpacking fails in many ways (OSError, RuntimeError, zlib.error, lzma.LZMAError, ...); each means a bad file.
        except Exception as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise UserError(f"{self.where(name)}: cannot be read ({reason or type(error).__name__})") from None

    def header(self, name: str) -> tuple[bytes, Header]:
        """Return a picture's bytes and what its header says, and count it in `noticed`. Raises: UserError."""
        content, where = self.read(name), self.where(name)
        self.noticed.content(content, where)
        return content, _decode.header(content, where, self.noticed)

    def header_shape(self, name: str, channels: int) -> tuple[int, int, int]:
        """Return the height and width that a picture's header gives, and `channels`. Raises: UserError."""
        with self.stream(name) as stream:
            return _decode.header_shape(stream, channels, self.where(name))

    def chunks(
        self, names: Sequence[str], channels: int, crop: Crop | None, noticed: Noticed | None = None
    ) -> Iterator[Bytes]:
        """Yield the pictures in pieces, decoded while they are asked for.

        noticed: what counts them, the tree's own if None.
        """
        counting = noticed or self.noticed
        for start in range(0, len(names), CHUNK):
            yield np.stack([self._counted(name, channels, crop, counting) for name in names[start : start + CHUNK]])

    def look(
        self, names: Sequence[str], channels: int, crop: Crop | None, noticed: Noticed, *, across: int | None
    ) -> Pictures:
        """Return a look at single pictures, which are counted in `noticed` when they are decoded."""
        return Pictures(
            across=across,
            where=lambda k: self.where(names[k]),
            size=lambda k: self.header_shape(names[k], channels)[:2],
            decode=lambda k: self._counted(names[k], channels, crop, noticed),
        )

    def _counted(
        self, name: str, channels: int, crop: Crop | None, noticed: Noticed
    ) -> UInt8[np.ndarray, "height width channel"]:
        """Return a picture, and count what must be known of it. Raises: UserError, as `picture`."""
        content, where = self.read(name), self.where(name)
        noticed.content(content, where)
        return decoded(content, channels, where, crop, noticed)

    def picture(self, name: str, channels: int, crop: Crop | None) -> UInt8[np.ndarray, "height width channel"]:
        """Return a picture, decoded and cropped. Raises: UserError if that is not possible."""
        return decoded(self.read(name), channels, self.where(name), crop)

    def labels(self, name: str) -> dict[str, int] | None:
        """Return the labels that a dataset.json gives to pictures, by their names; see `labels_in`."""
        return labels_in(self.read(name), name.removesuffix(LABELS), self.where(name), self.pictures)

    @cached_property
    def _members(self) -> dict[str, zipfile.ZipInfo]:
        assert self._archive is not None
        return members_of(self._archive, str(self.root))

    @contextmanager
    def _opened(self, name: str) -> Iterator[IO[bytes]]:
        if self._archive is None:
            path = self.root / name
            state = os.stat(path)
            # It is not even opened: opening a pipe waits for its writer, and some devices never end.
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


def class_of(name: str) -> str:
    """Return the first folder of a name, "" for a picture that is in none."""
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


def _require_small(size: int, where: str) -> None:
    if size > LARGEST:
        raise UserError(f"{where}: takes {size} bytes, and a picture may take {LARGEST}; remove it")


def _named(names: list[str]) -> str:
    shown = ", ".join(name.rstrip("/") for name in sorted(names)[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more folders"
