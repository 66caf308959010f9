"""Random crops for training, made from the pictures that a prepared data set was made from."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from diffbench.base.arrays import Bytes
from diffbench.base.errors import UserError
from diffbench.base.sizes import shrunk
from diffbench.datasets._crop import at_random
from diffbench.datasets._split import Split
from diffbench.jobs.dataset import DatasetPart
from diffbench.training.data import Cuts

COMPARED = 32
"""The number of images that are made again, to check that the pictures are still those that were prepared."""


@contextmanager
def cutting(dataset: DatasetPart, images: Bytes, labels: np.ndarray | None, prepared: Path) -> Iterator[Cuts]:
    """Yield a function that makes random crops of a data set's training pictures, at the size of the prepared images.

    prepared: the prepared file. images, labels: its content.
    Raises: UserError if the data set has no pictures, or they are not those that were prepared.
    """
    split = _opened(dataset)
    _, height, width, _ = images.shape
    if height != width:
        raise UserError(f"dataset {dataset.name}: random crops are squares, and images of {height}x{width} are not")
    if not _is_of(split, images, labels):
        raise UserError(f"{prepared}: not made from the pictures of data set {dataset.name}; prepare them again")
    pool = ThreadPoolExecutor(_processors())

    def cuts(index: Int[Tensor, " batch"], draws: Float[Tensor, "batch 3"]) -> Sequence[Future[Bytes]]:
        rows = zip(index.tolist(), draws.tolist(), strict=True)
        return [pool.submit(_cut, split, k, row, height) for k, row in rows]

    try:
        yield cuts
    finally:
        pool.shutdown(cancel_futures=True)


def _cut(split: Split, k: int, draws: Sequence[float], height: int) -> Bytes:
    # The crop has the data set's size and is then shrunk, as stored images were. A crop at the smaller size is sharper.
    return _made(split, k, partial(at_random, size=split.shape[0], draws=draws), height)


def _made(split: Split, k: int, crop: Any, height: int) -> Bytes:
    """Return image k with the given height in pixels, made from its picture by a crop (None: the data set's own)."""
    assert split.cut is not None
    image = split.cut(k, crop)
    return image if len(image) == height else shrunk(image[None], height)[0]


def _opened(dataset: DatasetPart) -> Split:
    split = dataset.configured().open("train")
    if split.cut is None:
        raise UserError(f"dataset {dataset.name}: keeps no pictures to cut from; leave random_crop out")
    return split


def _equal(one: np.ndarray | None, other: np.ndarray | None) -> bool:
    return one is other if one is None or other is None else np.array_equal(one, other)


def _is_of(split: Split, images: Bytes, labels: np.ndarray | None) -> bool:
    """Return whether images are a split's: number and labels are equal, and so are `COMPARED` of the images."""
    if split.num_images != len(images) or not _equal(split.labels, labels):
        return False
    some = np.unique(np.linspace(0, len(images) - 1, COMPARED).round().astype(int)).tolist()
    return all(np.array_equal(_made(split, k, None, images.shape[1]), images[k]) for k in some)


def _processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
