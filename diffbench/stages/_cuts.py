"""Random crops for training, cut from the picture files that a prepared data set was made from."""

import dataclasses
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from diffbench.base.arrays import Bytes
from diffbench.base.errors import UserError
from diffbench.base.plugins import chosen
from diffbench.base.sizes import shrunk
from diffbench.datasets._crop import at_random, halved_then_bicubic
from diffbench.datasets._split import Split
from diffbench.training.loop import Cuts


def cuts_of(entry: Mapping[str, Any], root: Path, images: Bytes, labels: np.ndarray | None, prepared: Path) -> Cuts:
    """Return what cuts the training images of a data set at random, at the size of the prepared ones.

    entry: the data set's, whose relative path starts at `root`. images, labels, prepared: the prepared file and what it
    holds. Raises: UserError where the data set has no picture files, or they are not those that were prepared.
    """
    name, dataset = chosen("datasets", entry, "dataset")
    if not getattr(type(dataset), "has_pictures", False):
        raise UserError(f"dataset {name}: has no picture files to cut from; leave random_crop out")
    dataset = dataclasses.replace(dataset, path=str(root / Path(dataset.path).expanduser()))
    split, size = dataset.open("train"), images.shape[1]
    if images.shape[1] != images.shape[2]:
        raise UserError(f"dataset {name}: random crops are squares, and the images are not; set its 'size'")
    if not _is_of(split, images, labels):
        raise UserError(f"{prepared}: not made from the pictures at {dataset.path}; prepare them again")
    cut, pool = split.cut, ThreadPoolExecutor(os.cpu_count())

    def cuts(index, draws):
        return [
            pool.submit(cut, k, partial(at_random, size=size, draws=row))
            for k, row in zip(index.tolist(), draws.tolist(), strict=True)
        ]

    return cuts


def _is_of(split: Split, images: Bytes, labels: np.ndarray | None) -> bool:
    """Return whether images are a split's, as far as number, labels, and the first and last image tell."""
    if split.cut is None or split.num_images != len(images) or not np.array_equal(split.labels, labels):
        return False
    full, size = split.shape[0], images.shape[1]
    ends = [0, len(images) - 1]
    central = np.stack([split.cut(k, partial(halved_then_bicubic, size=full)) for k in ends])
    return np.array_equal(central if full == size else shrunk(central, size), images[ends])
