"""ImageNet (ILSVRC 2012), centre-cropped as ADM does it, at any size.

`path` holds `train/<class>/*` and `val/<class>/*` (folders, or a zip archive of them), or the Hugging Face hub's
parquet files `train-*` and `validation-*`. Classes are numbered by sorted folder name, the order that everybody uses.
Source: Russakovsky et al. 2015; the crop is Dhariwal and Nichol 2021's. The official 64 x 64 release, on which
unconditional codelengths are published, is a different data set.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import ClassVar

import numpy as np

from diffbench.base.errors import UserError
from diffbench.base.names import SplitName
from diffbench.base.user_path import user_path
from diffbench.datasets._crop import halved_then_bicubic
from diffbench.datasets._parquet import parquet_files, parquet_split, require_equal_names
from diffbench.datasets._pictures import PictureTree, class_of
from diffbench.datasets._split import MissingDataError, Split

TEST_NAMES = ("val", "validation", "test")
ORDER_SEED = 0
"""The seed of the order of pictures: any first n of them are a random choice."""


@dataclass(frozen=True)
class Imagenet:
    """1,281,167 training and 50,000 validation images of size x size; the validation images are "test"."""

    path: str
    """the folder of the data set's files."""
    size: int = 64
    """pixels across, after ADM's centre crop."""
    flip: bool = True
    """guided-diffusion trains with random horizontal flips."""
    num_classes: int = 1000
    """the number of classes."""

    levels: ClassVar[int] = 256
    published_images: ClassVar[Mapping[SplitName, int]] = {"train": 1_281_167, "test": 50_000}
    has_pictures: ClassVar[bool] = True
    """Random crops are cut from the pictures that the images were made from."""

    def __post_init__(self) -> None:
        if self.size < 1 or self.num_classes < 1:
            raise ValueError(f"size {self.size} and num_classes {self.num_classes} must be positive")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels, known without the data."""
        return (self.size, self.size, 3)

    def open(self, split: SplitName) -> Split:
        """Return the images and labels of "train" or "test"; UserError names what cannot be read."""
        root = user_path(self.path)
        crop = partial(halved_then_bicubic, size=self.size)
        files = self._parquet(root, split)
        if files:
            return parquet_split(files, shape=self.shape, num_classes=self.num_classes, crop=crop)
        tree, folders = self._tree, self._folders
        if split not in folders:
            raise MissingDataError(
                f"{root}: no folder {' or '.join(_names(split))}, nor parquet files; set the data set's 'path'"
            )
        found = [name for name in tree.pictures if name.startswith(f"{folders[split]}/")]
        number = {name: position for position, name in enumerate(self._class_names)}
        order = np.random.Generator(np.random.PCG64(ORDER_SEED)).permutation(len(found))
        chosen = [found[position] for position in order]
        labels = np.array([number[class_of(name.split("/", 1)[1])] for name in chosen], np.int64)
        noticed = tree.noticing()
        return Split(
            num_images=len(chosen),
            shape=self.shape,
            labels=labels,
            chunks=tree.chunks(chosen, 3, crop, noticed),
            cut=lambda k, other: tree.picture(chosen[k], 3, other or crop),
            pictures=tree.look(chosen, 3, crop, noticed, across=self.size),
            notes=lambda: [*self._notes(split), *noticed.notes()],
        )

    def source_files(self) -> list[Path]:
        """Return the files whose content decides what the images and labels are."""
        root = user_path(self.path)
        parquet = [file for split in ("train", "test") for file in self._parquet(root, split)]
        return parquet or self._tree.source_files

    def _parquet(self, root: Path, split: SplitName) -> list[Path]:
        """Return the parquet files of a split, none if the data are folders. Raises: UserError."""
        if not root.is_dir():
            return []
        train, test = parquet_files(root, "train"), parquet_files(root, "validation")
        require_equal_names([*train, *test])
        files = train if split == "train" else test
        if not files and (train or test):
            # The class numbers in a file need not be those by sorted name, so the two kinds are never mixed.
            missing = "train" if split == "train" else "validation"
            raise MissingDataError(f"{root}: parquet files of one split and none of {missing}; fetch them too")
        return files

    @cached_property
    def _tree(self) -> PictureTree:
        return PictureTree(user_path(self.path))

    @cached_property
    def _folders(self) -> dict[SplitName, str]:
        """The folders that are splits. Raises: UserError if two could be the test split."""
        held = set(self._tree.folders)
        if {"val", "validation"} <= held:
            raise UserError(f"{self._tree.root}: holds val and validation; which of the two is meant? Remove the other")
        splits: tuple[SplitName, ...] = ("train", "test")
        found: dict[SplitName, str] = {}
        for split in splits:
            there = [name for name in _names(split) if name in held]
            if there:
                found[split] = there[0]
        return found

    @cached_property
    def _class_names(self) -> list[str]:
        """The names of the class folders, in the order of their numbers. Raises: UserError if splits differ."""
        names: list[str] = []
        for folder in self._folders.values():
            below = {class_of(name.split("/", 1)[1]) for name in self._tree.pictures if name.startswith(f"{folder}/")}
            if len(below) != self.num_classes or "" in below:
                raise UserError(
                    f"{self._tree.where(folder)}: pictures in {len(below - {''})} class folders"
                    f"{' and beside them' if '' in below else ''}, {self.num_classes} are wanted; "
                    "set num_classes, or sort them into folders"
                )
            odd = sorted(below - set(names)) if names else []
            if odd:
                first = self._tree.where(self._folders["train"])
                raise UserError(
                    f"{self._tree.where(folder)}: has class '{odd[0]}', unlike {first}; "
                    "classes are numbered by name, so give both the same names"
                )
            names = sorted(below)
        return names

    def _notes(self, split: SplitName) -> list[str]:
        others = [f"{folder}/" for name, folder in self._folders.items() if name != split]
        notes = self._tree.notes(elsewhere=tuple(others))
        read = tuple(f"{folder}/" for folder in self._folders.values())
        beside = [name for name in self._tree.pictures if not name.startswith(read)]
        if beside:
            notes.append(f"left out: {len(beside)} pictures outside {' and '.join(self._folders.values())}")
        return notes


def _names(split: SplitName) -> tuple[str, ...]:
    return ("train",) if split == "train" else TEST_NAMES
