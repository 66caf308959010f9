"""Checks of a data set: its declarations, its images and labels, and that its splits are what they say."""

import hashlib
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, get_args

import numpy as np

from diffbench.base.names import SplitName
from diffbench.commands.contract.check import BrokenError, Check, NotJudgedError, require, require_frozen
from diffbench.datasets._contract import Dataset
from diffbench.datasets._crop import halved_then_bicubic

SPLITS: tuple[SplitName, ...] = get_args(SplitName)

MOST = 20_000
"""The most images of a split that are read, so that a large data set is checked in a minute."""

SHARED = 0.01
"""The largest share of test images that may be among the training images too."""


def checks(dataset: Dataset) -> Sequence[Check]:
    """Return the checks of every data set."""
    return declarations, images, labels, levels, twice, disjoint, cut_again, known_shape


def declarations(dataset: Dataset) -> None:
    """It is a frozen dataclass that declares its grey levels, its classes and whether it may be mirrored."""
    require_frozen(dataset)
    count, classes = dataset.levels, dataset.num_classes
    require(
        isinstance(count, int) and 2 <= count <= 256, f"levels = {count!r}; it must be a whole number from 2 to 256"
    )
    require(isinstance(dataset.flip, bool), f"flip = {dataset.flip!r}; it must be True or False")
    good = classes is None or (isinstance(classes, int) and classes > 0)
    require(good, f"num_classes = {classes!r}; it must be a positive whole number, or None without labels")


def images(dataset: Dataset) -> None:
    """Both splits have uint8 images of the declared shape and number."""
    for split in SPLITS:
        opened, seen = dataset.open(split), 0
        require(len(opened.shape) == 3, f"{split}: shape is {opened.shape}; it must be (height, width, channels)")
        require(opened.shape[2] in (1, 3), f"{split}: {opened.shape[2]} channels; 1 (grey) or 3 (colour) are possible")
        for chunk in opened.chunks:
            found = f"{split}: a chunk is {chunk.dtype}{chunk.shape}"
            require(chunk.dtype == np.uint8, f"{found}; make bytes of the pixels: np.rint(255 * x).astype(np.uint8)")
            require(chunk.shape[1:] == opened.shape, f"{found}; the split declares images of {opened.shape}")
            seen += len(chunk)
            if seen > MOST:
                break
        whole = seen == opened.num_images or seen > MOST
        require(whole and seen, f"{split}: its chunks have {seen} images, and it declares {opened.num_images}")
    shapes = {split: dataset.open(split).shape for split in SPLITS}
    require(len(set(shapes.values())) == 1, f"the splits have different shapes: {shapes}")


def labels(dataset: Dataset) -> None:
    """Each image has a label from 0 to num_classes - 1, or none has one."""
    for split in SPLITS:
        opened, classes = dataset.open(split), dataset.num_classes
        if classes is None or opened.labels is None:
            require(classes is None, f"{split}: there are no labels; declare num_classes = None")
            require(opened.labels is None, f"{split}: there are labels; declare num_classes")
            continue
        found = f"{split}: labels are {opened.labels.dtype}{opened.labels.shape}"
        require(opened.labels.dtype == np.int64, f"{found}; they must be int64")
        require(opened.labels.shape == (opened.num_images,), f"{found}; there must be one for each image")
        low, high = opened.labels.min(), opened.labels.max()
        require(
            low >= 0 and high < classes,
            f"{split}: labels go from {low} to {high}; {classes} classes allow 0 to {classes - 1}",
        )


def levels(dataset: Dataset) -> None:
    """Its pixels take only the declared grey levels, stored as round(k 255 / (levels - 1))."""
    grid = np.rint(np.arange(dataset.levels) * 255 / (dataset.levels - 1))
    for split in SPLITS:
        chunk = next(iter(dataset.open(split).chunks))
        other = np.setdiff1d(chunk, grid)
        if len(other):
            raise BrokenError(
                f"{split}: a pixel is {other[0]}, which is none of {dataset.levels} levels; declare 256, or scale"
            )


def twice(dataset: Dataset) -> None:
    """It gives the same bytes each time that it is opened."""
    for split in SPLITS:
        one, other = ([digest for digest, _ in _digests(dataset, split)] for _ in range(2))
        require(
            one == other,
            f"{split}: two readings differ; sort names of files, and draw by a generator with a fixed seed",
        )


def disjoint(dataset: Dataset) -> None:
    """No more than one in a hundred test images is a training image too."""
    train = {digest for digest, _ in _digests(dataset, "train")}
    shared = [place for digest, place in _digests(dataset, "test") if digest in train]
    total = min(dataset.open("test").num_images, MOST)
    require(
        len(shared) <= SHARED * total,
        f"{len(shared)} of {total} test images are training images too, the first is image {shared[:1]}; a score "
        "against them rewards memory",
    )


def cut_again(dataset: Dataset) -> None:
    """Its images can be cut from their pictures again, if it keeps pictures."""
    for split in SPLITS:
        opened = dataset.open(split)
        if opened.cut is None:
            require(not dataset.has_pictures, f"{split}: has_pictures is True, and the split has no `cut`")
            raise NotJudgedError("it keeps no pictures, so training makes no random crops")
        size = vars(dataset).get("size")
        crop: Any = partial(halved_then_bicubic, size=size) if size is not None else lambda image: image
        chunk = next(iter(opened.chunks))
        for k in {0, len(chunk) - 1}:
            require(
                np.array_equal(opened.cut(k, crop), chunk[k]), f"{split}: cut({k}, ...) is not image {k} of the chunks"
            )


def known_shape(dataset: Dataset) -> None:
    """A shape that it declares without the data is the data's."""
    train = dataset.open("train")
    require(dataset.shape in (None, train.shape), f"shape = {dataset.shape}, and the images are {train.shape}")


def _digests(dataset: Dataset, split: SplitName) -> Iterator[tuple[bytes, int]]:
    """Yield the digest and the number of each image, of at most the first MOST ones."""
    place = 0
    for chunk in dataset.open(split).chunks:
        for image in chunk:
            yield hashlib.blake2b(np.ascontiguousarray(image).tobytes(), digest_size=16).digest(), place
            place += 1
        if place >= MOST:
            return
