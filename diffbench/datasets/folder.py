"""Any folder, or zip archive, of pictures.

Either it holds `train` and `test`, the two splits, or it holds all pictures and `test_fraction` says
how many of them are kept for testing. Subfolders of a split are classes, numbered by sorted name; without
subfolders there are no labels.
"""

from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import ClassVar

import numpy as np

from diffbench.base.errors import UserError
from diffbench.datasets._crop import halved_then_bicubic
from diffbench.datasets._decode import header_shape, require_shape
from diffbench.datasets._pictures import SUFFIXES, PictureTree, class_of
from diffbench.datasets._split import Split, SplitName


@dataclass(frozen=True)
class Folder:
    """Pictures under `path`, in an order drawn from `seed`: any first n of them are a random choice."""

    path: str
    channels: int = 3
    """3: colour, grey pictures are repeated; 1: grey, colour pictures are reduced to their luma."""
    size: int | None = None
    """Pixels across, after ADM's centre crop; without it all pictures must be equally large."""
    flip: bool = False
    """Whether training may mirror the pictures: not those with writing on them."""
    test_fraction: float | None = None
    """Share of the pictures kept for testing, where there are no folders `train` and `test`."""
    seed: int = 0

    levels: ClassVar[int] = 256
    has_pictures: ClassVar[bool] = True
    """Random crops are cut from what the images were made from."""

    def __post_init__(self) -> None:
        if self.channels not in (1, 3):
            raise ValueError(f"channels: {self.channels} is not allowed; 1 (grey) or 3 (colour)")
        if self.size is not None and self.size < 1:
            raise ValueError(f"size: {self.size} is not allowed; 1 or more, or null")
        if self.test_fraction is not None and not 0 < self.test_fraction < 1:
            raise ValueError(f"test_fraction: {self.test_fraction} is not between 0 and 1")

    @cached_property
    def num_classes(self) -> int | None:
        """The number of class folders, or None where pictures lie in the split's folder itself."""
        return len(self._class_names) or None

    def open(self, split: SplitName) -> Split:
        """Return the images and labels of "train" or "test"; UserError names a picture that does not fit."""
        names = self._files(split)
        shape = self._shape(names) if self.size is None else (self.size, self.size, self.channels)
        crop = None if self.size is None else partial(halved_then_bicubic, size=self.size)
        number = {name: position for position, name in enumerate(self._class_names)}
        labels = [number[class_of(self._below(name))] for name in names] if number else None
        return Split(
            num_images=len(names),
            shape=shape,
            labels=None if labels is None else np.array(labels, np.int64),
            chunks=self._tree.chunks(names, self.channels, crop),
            cut=lambda k, other: self._tree.picture(names[k], self.channels, other or crop),
        )

    def _shape(self, names: list[str]) -> tuple[int, int, int]:
        # Sizes stand in the headers, so one that differs is found before the long work of decoding begins.
        first = min(self._files("train"))
        shape = header_shape(self._tree.read(first), self.channels, self._tree.where(first))
        for name in sorted(names):
            where = self._tree.where(name)
            found = header_shape(self._tree.read(name), self.channels, where)
            require_shape(found, shape, where, f"{self._tree.where(first)} is")
        return shape

    @cached_property
    def _tree(self) -> PictureTree:
        return PictureTree(Path(self.path).expanduser())

    @cached_property
    def _has_splits(self) -> bool:
        held = [split for split in ("train", "test") if split in self._tree.folders]
        if len(held) == 1:
            raise UserError(
                f"{self._tree.root}: holds {held[0]} but not the other of train and test; make both or neither"
            )
        if held:
            if self.test_fraction is not None:
                raise UserError(f"{self._tree.root}: holds train and test, so test_fraction has no effect; remove it")
            return True
        if self.test_fraction is None:
            raise UserError(
                f"{self._tree.root}: no folders train and test; make them, or set test_fraction to split at random"
            )
        return False

    @cached_property
    def _class_names(self) -> list[str]:
        names = self._folders_of("train")
        if self._has_splits:
            in_test = self._folders_of("test")
            odd = sorted(set(in_test) - set(names))
            if odd or bool(in_test) != bool(names):
                what = f"class '{odd[0]}'" if odd else "no class folders"
                raise UserError(f"{self._tree.where('test')}: has {what}, unlike {self._tree.where('train')}")
        return names

    def _prefix(self, split: SplitName) -> str:
        return f"{split}/" if self._has_splits else ""

    def _folders_of(self, split: SplitName) -> list[str]:
        prefix = self._prefix(split)
        below = [name.removeprefix(prefix) for name in self._tree.folders if name.startswith(prefix)]
        return sorted(name for name in below if name and "/" not in name)

    def _below(self, name: str) -> str:
        return name.split("/", 1)[1] if self._has_splits else name

    def _files(self, split: SplitName) -> list[str]:
        prefix = self._prefix(split)
        files = [name for name in self._tree.pictures if name.startswith(prefix)]
        if self._class_names:
            beside = [name for name in files if not class_of(name.removeprefix(prefix))]
            if beside:
                raise UserError(
                    f"{self._tree.where(beside[0])}: lies beside class folders; "
                    f"move it into one of {', '.join(self._class_names[:5])}"
                )
        order = np.random.Generator(np.random.PCG64(self.seed)).permutation(len(files))
        if self.test_fraction is not None:
            num_test = round(len(files) * self.test_fraction)
            order = order[:num_test] if split == "test" else order[num_test:]
        if not len(order):
            raise UserError(
                f"{self._tree.root}: no pictures for '{split}' ({len(files)} in all; looked for {', '.join(SUFFIXES)})"
            )
        return [files[position] for position in order]
