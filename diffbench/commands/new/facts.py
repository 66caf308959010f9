"""The facts of a data set that a new benchmark must fit: how many images, of which sizes, with which labels."""

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from diffbench.base import plugins
from diffbench.base.classes import class_counts
from diffbench.base.errors import UserError
from diffbench.base.progress import progress
from diffbench.base.user_path import user_path
from diffbench.benchmark.codehash import PACKAGE_ROOT
from diffbench.commands.data_option import data_entry
from diffbench.datasets._pictures import SUFFIXES, PictureTree
from diffbench.datasets.folder import Folder

SIDES = (64, 32, 16, 8)
"""Widths in pixels that pictures of a folder may get: powers of two, so that a network can halve them."""

ENLARGED = 0.05
"""The share of pictures that may be smaller than the chosen width and are then enlarged."""

HELD_OUT, MOST_HELD_OUT = 0.25, 1000
"""The share of a folder's pictures that is kept for testing, and the most pictures."""

FEWEST, FEWEST_HELD_OUT = 20, 5
"""The fewest pictures in all, and in the split `test`: precision and recall with k = 3 need 5 of either side."""


@dataclass(frozen=True)
class Facts:
    """What is known of a data set.

    named: the options that named it, for the command in the file. path: as the user gave it; None for data that ship
    with a package. entry: the other keys of `dataset`, without `size`. sides: the widths that its images can have,
    largest first. smallest_class: the training images of the smallest class; 0 without labels. notes: clauses for the
    comments, by the key that they explain.
    """

    named: str
    path: str | None
    entry: dict[str, Any]
    num_train: int
    num_test: int
    channels: int
    sides: tuple[int, ...]
    num_classes: int | None
    smallest_class: int
    notes: dict[str, str]
    suggested: str
    """A name for the benchmark, which need not be valid yet."""


def facts_of(folder: Path | None, data: str | None, size: int | None) -> Facts:
    """Return the facts of a folder of pictures, or of a data set that a text such as `mnist:data/mnist` names.

    size: the width in pixels that the user asks for. Raises: UserError if there are too few images, or one cannot be
    read.
    """
    if (folder is None) == (data is None):
        raise UserError("new: name the data once: --folder PATH, or --data digits, mnist:PATH or cifar10:PATH")
    return _of_data_set(data, size) if data is not None else _of_folder(str(folder), size)


# -- a data set by name


def _of_data_set(text: str, size: int | None) -> Facts:
    if text.replace(":", " ").split()[:1] == ["folder"]:
        raise UserError(f"--data {text}: give pictures as --folder PATH")
    entry = data_entry(text, "--data")
    name, path = entry.pop("name"), entry.pop("path", None)
    if size is not None:
        raise UserError(f"--size {size}: goes with --folder; the images of {name} keep their own size")
    where = f"--data {text}"
    given = {**entry} if path is None else {**entry, "path": str(user_path(path))}
    dataset = plugins.configure(plugins.load("datasets", name, where), given, where)
    splits = {"train": dataset.open("train"), "test": dataset.open("test")}
    height, width, channels = splits["train"].shape
    if height != width or height > SIDES[0]:
        raise UserError(f"{where}: images of {height}x{width}; new writes for squares of at most {SIDES[0]} pixels")
    counts = {split: images.num_images for split, images in splits.items()}
    _require_enough(where, counts["train"], counts["test"])
    return Facts(
        named=f"--data {shlex.quote(text)}",
        path=path,
        entry={"name": name, **entry},
        num_train=counts["train"],
        num_test=counts["test"],
        channels=channels,
        sides=(height,),
        num_classes=dataset.num_classes,
        smallest_class=_smallest(class_counts(splits["train"].labels, dataset.num_classes)),
        notes={},
        suggested=f"my_{name}",
    )


# -- a folder of pictures


def _of_folder(path: str, size: int | None) -> Facts:
    root = user_path(path)
    _require_own_folder(root)
    if not root.exists():
        raise UserError(f"--folder {path}: no such folder")
    tree = PictureTree(root)
    if not tree.pictures:
        raise UserError(f"--folder {path}: no pictures below it (looked for {', '.join(SUFFIXES)})")
    if len(tree.pictures) < FEWEST:
        raise UserError(
            f"--folder {path}: {len(tree.pictures)} pictures are too few; at least {FEWEST} are needed, "
            "since a quarter is held out and the metrics need 5 of them"
        )
    seen = _seen(tree)
    has_splits = {"train", "test"} <= set(tree.folders)
    sides = _sides(path, seen, size)
    entry: dict[str, Any] = {"name": "folder", "channels": 3 if seen.coloured else 1}
    if not has_splits:
        entry["test_fraction"] = _test_fraction(len(tree.pictures))
    dataset = Folder(str(root), channels=entry["channels"], size=sides[-1], test_fraction=entry.get("test_fraction"))
    counts, smallest = _read(dataset)
    _require_enough(f"--folder {path}", counts["train"], counts["test"])
    return Facts(
        named=f"--folder {shlex.quote(path)}" + ("" if size is None else f" --size {size}"),
        path=path,
        entry=entry,
        num_train=counts["train"],
        num_test=counts["test"],
        channels=entry["channels"],
        sides=sides,
        num_classes=dataset.num_classes,
        smallest_class=smallest,
        notes={"size": seen.spoken(), "channels": f"{seen.coloured} of {len(seen.smaller)} pictures have colours"},
        suggested=root.resolve().name.removesuffix(".zip"),
    )


def _require_own_folder(root: Path) -> None:
    """Raise UserError if a folder holds the project itself, whose own figures would count as pictures."""
    if PACKAGE_ROOT.is_relative_to(root.resolve()):
        raise UserError(f"--folder {root}: holds this project itself ({PACKAGE_ROOT}); put the pictures in their own")


def _require_enough(where: str, train: int, test: int) -> None:
    for split, count in (("train", train), ("test", test)):
        if count < FEWEST_HELD_OUT:
            raise UserError(
                f"{where}: {count} pictures in {split} are too few; at least {FEWEST_HELD_OUT} are needed there"
            )


@dataclass(frozen=True)
class _Seen:
    """What the pictures' headers say: their smaller sides in pixels, how many have each size, and colours."""

    smaller: tuple[int, ...]
    sizes: Counter[tuple[int, int]]
    coloured: int

    def spoken(self) -> str:
        """Return the sizes in words."""
        (width, height), _ = self.sizes.most_common(1)[0]
        if len(self.sizes) == 1:
            return f"the pictures are {width}x{height}"
        return f"the pictures' smaller sides are {min(self.smaller)} to {max(self.smaller)} pixels"


def _seen(tree: PictureTree) -> _Seen:
    smaller, sizes, coloured = [], Counter(), 0
    for name in tree.pictures:
        _, header = tree.header(name)
        smaller.append(min(header.width, header.height))
        sizes[header.width, header.height] += 1
        coloured += not header.grey
    return _Seen(tuple(smaller), sizes, coloured)


def _sides(path: str, seen: _Seen, size: int | None) -> tuple[int, ...]:
    """Return the widths that nearly all pictures reach without being enlarged, or the one that the user asks for."""
    if size is not None:
        if size not in SIDES:
            raise UserError(f"--size {size}: is not allowed; allowed: {', '.join(map(str, SIDES))}")
        return (size,)
    reached = int(np.quantile(seen.smaller, ENLARGED, method="lower"))
    sides = tuple(side for side in SIDES if side <= reached)
    if not sides:
        raise UserError(f"--folder {path}: pictures are only {reached} pixels across; at least {SIDES[-1]} are needed")
    return sides


def _test_fraction(num: int) -> float:
    return round(min(HELD_OUT, MOST_HELD_OUT / num), 4)


def _read(dataset: Folder) -> tuple[dict[str, int], int]:
    """Return the pictures of each split and those of the smallest class, after reading every pixel once."""
    counts, smallest = {}, 0
    for split in ("train", "test"):
        images = dataset.open(split)
        counts[split] = images.num_images
        if split == "train":
            smallest = _smallest(class_counts(images.labels, dataset.num_classes))
        with progress(images.num_images, f"reading {split}", unit="picture") as bar:
            for chunk in images.chunks:
                bar.update(len(chunk))
    return counts, smallest


def _smallest(counts: Sequence[int] | None) -> int:
    return min(counts) if counts else 0
