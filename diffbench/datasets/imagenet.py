"""ImageNet (ILSVRC 2012), centre-cropped as ADM does it, at any size.

`path` holds `train/<class>/*` and `val/<class>/*` (folders, or a zip archive of them), or the Hugging Face hub's
parquet files `train-*` and `validation-*`. Classes are numbered by sorted folder name, which is their order everywhere.
Source: Russakovsky et al. 2015; the crop is Dhariwal and Nichol 2021's. The official 64 x 64 release, on which
unconditional codelengths are published, is another data set.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np

from diffbench.base.errors import UserError
from diffbench.datasets._crop import halved_then_bicubic
from diffbench.datasets._parquet import parquet_files, parquet_split
from diffbench.datasets._pictures import PictureTree, class_of
from diffbench.datasets._split import Split, SplitName

TEST_NAMES = ("val", "validation", "test")
ORDER_SEED = 0
"""Of the order of pictures: any first n of them are a random choice."""


@dataclass(frozen=True)
class Imagenet:
    """1,281,167 training and 50,000 validation images of size x size, the latter as "test"."""

    path: str
    size: int = 64
    flip: bool = True
    """guided-diffusion trains with random horizontal flips."""
    num_classes: int = 1000

    levels: ClassVar[int] = 256
    has_pictures: ClassVar[bool] = True
    """Random crops are cut from what the images were made from."""

    def __post_init__(self) -> None:
        if self.size < 1 or self.num_classes < 1:
            raise ValueError(f"size {self.size} and num_classes {self.num_classes} must be positive")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels, known without the data."""
        return (self.size, self.size, 3)

    def open(self, split: SplitName) -> Split:
        """Return the images and labels of "train" or "test"; UserError names what cannot be read."""
        root = Path(self.path).expanduser()
        crop = partial(halved_then_bicubic, size=self.size)
        if root.is_dir():
            files = parquet_files(root, "train" if split == "train" else "validation")
            if files:
                return parquet_split(files, shape=self.shape, num_classes=self.num_classes, crop=crop)
        tree = PictureTree(root)
        names = ("train",) if split == "train" else TEST_NAMES
        folder = next((name for name in names if name in tree.folders), None)
        if folder is None:
            raise UserError(f"{root}: no folder {' or '.join(names)}, nor parquet files; set the data set's 'path'")
        found = [name for name in tree.pictures if name.startswith(f"{folder}/")]
        classes = sorted({class_of(name.split("/", 1)[1]) for name in found})
        if len(classes) != self.num_classes or "" in classes:
            raise UserError(
                f"{root}/{folder}: pictures in {len(classes)} class folders, {self.num_classes} are wanted; "
                "set num_classes, or sort them into folders"
            )
        number = {name: position for position, name in enumerate(classes)}
        order = np.random.Generator(np.random.PCG64(ORDER_SEED)).permutation(len(found))
        chosen = [found[position] for position in order]
        labels = np.array([number[class_of(name.split("/", 1)[1])] for name in chosen], np.int64)
        return Split(
            num_images=len(chosen),
            shape=self.shape,
            labels=labels,
            chunks=tree.chunks(chosen, 3, crop),
            cut=lambda k, other: tree.picture(chosen[k], 3, other or crop),
        )
