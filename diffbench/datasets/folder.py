"""Any folder of pictures, or a zip archive of one.

Either it holds the two splits `train` and `test`, or it holds all pictures and `test_fraction` says how many of
them are kept for testing. Subfolders of a split are classes, numbered by sorted name; without subfolders there are
no labels. If EDM's or StyleGAN's dataset_tool has written a `dataset.json`, its labels are used, and the subfolders
mean nothing.
"""

import re
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path, PurePosixPath
from typing import ClassVar

import numpy as np

from diffbench.base.errors import UserError
from diffbench.base.names import SplitName
from diffbench.base.user_path import user_path
from diffbench.datasets._crop import halved_then_bicubic
from diffbench.datasets._decode import require_shape
from diffbench.datasets._pictures import LABELS, SUFFIXES, PictureTree, class_of
from diffbench.datasets._split import Split

LIKE_SPLITS = {
    spelt
    for name in ("train", "training", "test", "testing", "val", "valid", "validation")
    for spelt in (name, name.upper(), name.capitalize())
}
"""Names of folders that mean splits, although they are not `train` and `test`. Hardly anybody has only such classes."""

NUMBERED = re.compile(r"[A-Za-z]*([0-9]{5,8})")
"""How EDM's tools name pictures: `img00001234` and `001234`, in folders that each hold a thousand numbers."""


@dataclass(frozen=True)
class Folder:
    """Pictures under `path`, in an order drawn from `seed`: any first n of them are a random choice."""

    path: str
    """a folder of pictures, or a zip archive of one."""
    channels: int = 3
    """3: colour, and grey pictures are repeated; 1: grey, and colour pictures are reduced to their luma."""
    size: int | None = None
    """Pixels across, after ADM's centre crop. Without it all pictures must have the same size."""
    flip: bool = False
    """Whether training may mirror the pictures. It should not if they have writing on them."""
    test_fraction: float | None = None
    """Share of the pictures kept for testing, if there are no folders `train` and `test`."""
    seed: int = 0
    """the seed of the order and of the choice of test pictures."""

    levels: ClassVar[int] = 256
    has_pictures: ClassVar[bool] = True
    """Random crops are cut from the pictures that the images were made from."""

    def __post_init__(self) -> None:
        if self.channels not in (1, 3):
            raise ValueError(f"channels: {self.channels} is not allowed; 1 (grey) or 3 (colour)")
        if self.size is not None and self.size < 1:
            raise ValueError(f"size: {self.size} is not allowed; 1 or more, or null")
        if self.test_fraction is not None and not 0 < self.test_fraction < 1:
            raise ValueError(f"test_fraction: {self.test_fraction} is not between 0 and 1")

    @cached_property
    def num_classes(self) -> int | None:
        """The number of classes, or None if nothing tells it."""
        if self._labels is not None:
            return max(self._labels.values(), default=-1) + 1 or None
        return len(self._class_names) or None

    def open(self, split: SplitName) -> Split:
        """Return the images and labels of "train" or "test"; UserError names a picture that does not fit."""
        names = self._files(split)
        shape = self._shape(names) if self.size is None else (self.size, self.size, self.channels)
        crop = None if self.size is None else partial(halved_then_bicubic, size=self.size)
        noticed = self._tree.noticing()
        return Split(
            num_images=len(names),
            shape=shape,
            labels=self._labels_of(split, names),
            chunks=self._tree.chunks(names, self.channels, crop, noticed),
            cut=lambda k, other: self._tree.picture(names[k], self.channels, other or crop),
            pictures=self._tree.look(names, self.channels, crop, noticed, across=self.size),
            notes=lambda: [*self._notes(split), *noticed.notes()],
        )

    def _labels_of(self, split: SplitName, names: list[str]) -> np.ndarray | None:
        if self.num_classes is None:
            return None
        labels = self._labels
        if labels is None:
            number = {name: position for position, name in enumerate(self._class_names)}
            labels = {name: number[class_of(self._below(name))] for name in names}
        unlabelled = next((name for name in names if name not in labels), None)
        if unlabelled is not None:
            raise UserError(f"{self._tree.where(unlabelled)}: has no label in {LABELS}, as others have; add it")
        return np.array([labels[name] for name in names], np.int64)

    def _notes(self, split: SplitName) -> list[str]:
        other = {"train": "test/", "test": "train/"}[split]
        notes = self._tree.notes(elsewhere=(other,) if self._has_splits else ())
        if self._has_splits:
            beside = [name for name in self._tree.pictures if not name.startswith(("train/", "test/"))]
            notes += [f"left out: {len(beside)} pictures outside train and test"] if beside else []
        if self._unused_json:
            notes.append(f"{', '.join(self._unused_json)} without 'labels', which is not used")
        if self._labels is not None:
            return notes
        if self._numbers_pictures:
            return [*notes, "subfolders number the pictures and are not classes"]
        prefix, classes = self._prefix(split), self._classes_of(split)
        linked = {name.rstrip("/") for name in self._tree.listing.again}
        empty = [prefix + name for name in self._folders_of(split) if name not in classes]
        empty = [name for name in empty if name not in linked]
        return [*notes, f"left out as classes, without pictures: {', '.join(empty[:5])}"] if empty else notes

    @cached_property
    def _jsons(self) -> dict[str, dict[str, int] | None]:
        """What each dataset.json says: labels by picture (empty if there are none); None if it is of another kind."""
        names = [place + LABELS for place in ("", "train/", "test/")]
        return {name: self._tree.labels(name) for name in names if name in self._tree.listing.others}

    @property
    def _unused_json(self) -> list[str]:
        return [name for name, labels in self._jsons.items() if labels is None]

    @cached_property
    def _labels(self) -> dict[str, int] | None:
        """The labels that a dataset.json gives, empty if it says that there are none; None without such a file."""
        found = {name: labels for name, labels in self._jsons.items() if labels is not None}
        if not found:
            return None
        labels = {picture: label for given in found.values() for picture, label in given.items()}
        held = set(labels.values())
        absent = sorted(set(range(len(labels))) - held)
        if absent and absent[0] < max(held):
            raise UserError(
                f"{self._tree.where(next(iter(found)))}: no picture has label {absent[0]}; "
                "number the classes without a gap"
            )
        return labels

    def _shape(self, names: list[str]) -> tuple[int, int, int]:
        # Headers give the sizes, so a size that differs is found before the long work of decoding begins.
        first = min(self._files("train"))
        shape = self._tree.header_shape(first, self.channels)
        for name in sorted(names):
            found = self._tree.header_shape(name, self.channels)
            require_shape(found, shape, self._tree.where(name), f"{self._tree.where(first)} is")
        return shape

    def source_files(self) -> list[Path]:
        """Return the files whose content decides what the images and labels are."""
        return self._tree.source_files

    @cached_property
    def _tree(self) -> PictureTree:
        return PictureTree(user_path(self.path))

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
        classes = {class_of(name) for name in self._tree.pictures}
        if classes <= LIKE_SPLITS and classes:
            raise UserError(
                f"{self._tree.root}: holds {' and '.join(sorted(classes))}, "
                "which are splits by their names and would be classes; call them train and test"
            )
        if self.test_fraction is None:
            raise UserError(
                f"{self._tree.root}: no folders train and test; make them, or set test_fraction to split at random"
            )
        return False

    @cached_property
    def _class_names(self) -> list[str]:
        if self._labels is not None or self._numbers_pictures:
            return []
        names = self._classes_of("train")
        if self._has_splits:
            in_test = self._classes_of("test")
            odd = sorted(set(in_test) - set(names))
            if odd or bool(in_test) != bool(names):
                what = f"class '{odd[0]}'" if odd else "no class folders"
                raise UserError(f"{self._tree.where('test')}: has {what}, unlike {self._tree.where('train')}")
        return names

    @cached_property
    def _numbers_pictures(self) -> bool:
        """Whether each subfolder holds the pictures of a range of numbers, as EDM's tools sort them.

        In a data set, img00012345 is in 00012; among samples, 012345 is in 012000.
        """
        below = [self._below(name) for name in self._tree.pictures if name.startswith(self._prefixes)]
        return bool(below) and all(map(_lies_by_number, below))

    def _prefix(self, split: SplitName) -> str:
        return f"{split}/" if self._has_splits else ""

    @property
    def _prefixes(self) -> tuple[str, ...]:
        return (self._prefix("train"), self._prefix("test"))

    def _classes_of(self, split: SplitName) -> list[str]:
        """Return the folders with pictures directly below a split's."""
        prefix = self._prefix(split)
        files = (name.removeprefix(prefix) for name in self._tree.pictures if name.startswith(prefix))
        return sorted({class_of(name) for name in files} - {""})

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
                f"{self._tree.root}: no pictures for '{split}' "
                f"({'; '.join([f'{len(files)} in all', *self._tree.notes()])}; looked for {', '.join(SUFFIXES)})"
            )
        return [files[position] for position in order]


def _lies_by_number(name: str) -> bool:
    path = PurePosixPath(name)
    found, shard = NUMBERED.fullmatch(path.stem), path.parts[0]
    if found is None or len(path.parts) != 2 or not re.fullmatch("[0-9]{5,6}", shard):
        return False
    number = found[1]
    by_digits = len(shard) == 5 and len(number) == 8 and number[:5] == shard
    return by_digits or len(shard) == len(number) and int(number) // 1000 * 1000 == int(shard)
