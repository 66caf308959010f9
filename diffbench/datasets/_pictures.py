"""Picture files below a folder or in a zip archive, by their paths relative to it."""

import os
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import UInt8

from diffbench.base.arrays import Bytes
from diffbench.base.errors import UserError
from diffbench.datasets._crop import Crop
from diffbench.datasets._decode import decoded
from diffbench.datasets._split import CHUNK

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
"""Files that end otherwise are left alone, as are hidden ones."""


class PictureTree:
    """Names (posix, relative, sorted) of pictures and folders, and their bytes.

    Raises: UserError where `root` is neither a folder nor a zip archive.
    """

    def __init__(self, root: Path):
        self.root = root
        if not root.exists():
            raise UserError(f"{root}: no such folder; set the data set's 'path'")
        self._archive = None
        if not root.is_dir():
            try:
                self._archive = zipfile.ZipFile(root)
            except zipfile.BadZipFile:
                raise UserError(f"{root}: neither a folder nor a zip archive; set the data set's 'path'") from None

    @cached_property
    def _listing(self) -> tuple[list[str], list[str]]:
        names = self._names_on_disk() if self._archive is None else self._names_in_archive()
        shown = [name for name in names if not any(part.startswith(".") for part in PurePosixPath(name).parts)]
        pictures = sorted(name for name in shown if name.lower().endswith(SUFFIXES))
        folders = {str(parent) for name in shown for parent in PurePosixPath(name).parents}
        folders |= {name.rstrip("/") for name in shown if name.endswith("/")}
        return pictures, sorted(folders - {"."})

    @property
    def pictures(self) -> list[str]:
        """The pictures' names."""
        return self._listing[0]

    @property
    def folders(self) -> list[str]:
        """The folders' names."""
        return self._listing[1]

    def where(self, name: str) -> str:
        """Return a picture's full name, for messages."""
        return f"{self.root}/{name}"

    def read(self, name: str) -> bytes:
        """Return a picture's bytes. Raises: UserError where they cannot be read."""
        try:
            if self._archive is None:
                return (self.root / name).read_bytes()
            return self._archive.read(self._inside + name)
        except (OSError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
            raise UserError(f"{self.where(name)}: cannot be read ({error})") from None

    def chunks(self, names: Sequence[str], channels: int, crop: Crop | None) -> Iterator[Bytes]:
        """Yield the pictures in pieces, decoded while they are asked for."""
        for start in range(0, len(names), CHUNK):
            piece = names[start : start + CHUNK]
            yield np.stack([self.picture(name, channels, crop) for name in piece])

    def picture(self, name: str, channels: int, crop: Crop | None) -> UInt8[np.ndarray, "height width channel"]:
        """Return a picture, decoded and cropped. Raises: UserError where it cannot be."""
        return decoded(self.read(name), channels, self.where(name), crop)

    def _names_on_disk(self) -> list[str]:
        names = []
        for folder, subfolders, files in os.walk(self.root, followlinks=True):
            below = Path(folder).relative_to(self.root).as_posix()
            prefix = "" if below == "." else f"{below}/"
            names += [prefix + name for name in files] + [f"{prefix}{name}/" for name in subfolders]
        return names

    def _names_in_archive(self) -> list[str]:
        return [name.removeprefix(self._inside) for name in self._members if name != self._inside]

    @cached_property
    def _members(self) -> list[str]:
        assert self._archive is not None
        return [name for name in self._archive.namelist() if not name.startswith("__MACOSX")]

    @cached_property
    def _inside(self) -> str:
        """The one folder that holds everything in an archive, where it is not itself a split."""
        tops = {name.split("/")[0] for name in self._members}
        alone = len(tops) == 1 and all("/" in name for name in self._members)
        return f"{min(tops)}/" if alone and not tops & {"train", "test", "val", "validation"} else ""


def class_of(name: str) -> str:
    """Return the first folder of a name, "" for a picture that lies in none."""
    return name.split("/")[0] if "/" in name else ""
