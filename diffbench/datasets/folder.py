"""Any folder of equally large pictures.

Either `path/train` and `path/test` hold the two splits, or `path` holds all pictures and `test_fraction` says
how many of them are kept for testing. Subfolders of a split are classes, numbered by sorted name; without
subfolders there are no labels.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np

from diffbench.base.arrays import Bytes
from diffbench.base.errors import UserError
from diffbench.datasets._decode import decoded, header_shape, require_shape
from diffbench.datasets._split import CHUNK, Split, SplitName

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
"""Files that end otherwise are left alone, as are hidden ones."""


@dataclass(frozen=True)
class Folder:
    """Pictures under `path`, in an order drawn from `seed`: any first n of them are a random choice."""

    path: str
    channels: int = 3
    """3: colour, grey pictures are repeated; 1: grey, colour pictures are reduced to their luma."""
    flip: bool = False
    """Whether training may mirror the pictures: not those with writing on them."""
    test_fraction: float | None = None
    """Share of the pictures kept for testing, where there are no folders `train` and `test`."""
    seed: int = 0

    levels: ClassVar[int] = 256

    def __post_init__(self) -> None:
        if self.channels not in (1, 3):
            raise ValueError(f"channels: {self.channels} is not allowed; 1 (grey) or 3 (colour)")
        if self.test_fraction is not None and not 0 < self.test_fraction < 1:
            raise ValueError(f"test_fraction: {self.test_fraction} is not between 0 and 1")

    @cached_property
    def num_classes(self) -> int | None:
        """The number of class folders, or None where pictures lie in the split's folder itself."""
        return len(self._class_names) or None

    def open(self, split: SplitName) -> Split:
        """Return the images and labels of "train" or "test"; UserError names a picture that does not fit."""
        files = self._files(split)
        # Sizes stand in the headers, so one that differs is found before the long work of decoding begins.
        first = min(self._files("train"))
        shape = header_shape(first, self.channels)
        for file in sorted(files):
            require_shape(header_shape(file, self.channels), shape, str(file), f"{first} is")
        return Split(
            num_images=len(files),
            shape=shape,
            labels=self._labels(files) if self._class_names else None,
            chunks=self._chunks(files),
        )

    @cached_property
    def _root(self) -> Path:
        root = Path(self.path).expanduser()
        if not root.is_dir():
            raise UserError(f"{root}: no such folder; set the data set's 'path'")
        return root

    @cached_property
    def _has_splits(self) -> bool:
        held = [split for split in ("train", "test") if (self._root / split).is_dir()]
        if len(held) == 1:
            raise UserError(f"{self._root}: holds {held[0]} but not the other of train and test; make both or neither")
        if held:
            if self.test_fraction is not None:
                raise UserError(f"{self._root}: holds train and test, so test_fraction has no effect; remove it")
            return True
        if self.test_fraction is None:
            raise UserError(
                f"{self._root}: no folders train and test; make them, or set test_fraction to split at random"
            )
        return False

    @cached_property
    def _class_names(self) -> list[str]:
        names = _folder_names(self._root / "train" if self._has_splits else self._root)
        if self._has_splits:
            in_test = _folder_names(self._root / "test")
            odd = sorted(set(in_test) - set(names))
            if odd or bool(in_test) != bool(names):
                what = f"class '{odd[0]}'" if odd else "no class folders"
                raise UserError(f"{self._root / 'test'}: has {what}, unlike {self._root / 'train'}")
        return names

    def _files(self, split: SplitName) -> list[Path]:
        folder = self._root / split if self._has_splits else self._root
        files = _pictures(folder, self._class_names)
        order = np.random.Generator(np.random.PCG64(self.seed)).permutation(len(files))
        if self.test_fraction is not None:
            num_test = round(len(files) * self.test_fraction)
            order = order[:num_test] if split == "test" else order[num_test:]
        if not len(order):
            raise UserError(
                f"{folder}: no pictures for '{split}' ({len(files)} in all; looked for {', '.join(SUFFIXES)})"
            )
        return [files[position] for position in order]

    def _labels(self, files: list[Path]) -> np.ndarray:
        depth = len(self._root.parts) + self._has_splits
        number = {name: position for position, name in enumerate(self._class_names)}
        return np.array([number[file.parts[depth]] for file in files], np.int64)

    def _chunks(self, files: list[Path]) -> Iterator[Bytes]:
        for start in range(0, len(files), CHUNK):
            yield np.stack([decoded(file, self.channels, str(file)) for file in files[start : start + CHUNK]])


def _folder_names(folder: Path) -> list[str]:
    return sorted(item.name for item in folder.iterdir() if item.is_dir() and not item.name.startswith("."))


def _pictures(folder: Path, class_names: list[str]) -> list[Path]:
    """Return the pictures of a split, sorted by path; with classes, all must lie in their folders."""
    beside = _with_suffix(folder.iterdir())
    if not class_names:
        return beside
    if beside:
        raise UserError(f"{beside[0]}: lies beside class folders; move it into one of {', '.join(class_names[:5])}")
    return [file for name in class_names for file in _with_suffix((folder / name).rglob("*"))]


def _with_suffix(paths: Iterator[Path]) -> list[Path]:
    return sorted(p for p in paths if p.suffix.lower() in SUFFIXES and not p.name.startswith(".") and p.is_file())
