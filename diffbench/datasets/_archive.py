"""Data sets that torchvision can read from its own archives, or download if the configuration allows it."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from diffbench.base.contents import files_below
from diffbench.base.errors import UserError
from diffbench.base.names import SplitName
from diffbench.base.user_path import user_path
from diffbench.datasets._parquet import parquet_files, parquet_split, require_equal_names
from diffbench.datasets._split import MissingDataError, Split, checked_labels, split_of_arrays

Opener = Callable[[str, bool, bool], Any]
"""(root, train, download) -> a torchvision data set with `data` and `targets`."""

FAILURES = (RuntimeError, OSError, ValueError, AssertionError, EOFError, KeyError, pickle.UnpicklingError)
"""What torchvision raises if an archive is missing or altered, or if a download failed."""


def source_files(path: str, archive: str) -> list[Path]:
    """Return the files that both splits come from: parquet if `path` holds some, otherwise torchvision's archive.

    archive: the folder, below `path`, in which torchvision keeps its files.
    """
    folder = user_path(path)
    parquet = [file for name in ("train", "test") for file in parquet_files(folder, name)]
    return parquet or [file for file in files_below(folder / archive) if file.is_file()]


def parquet_or_archive(
    path: str,
    split: SplitName,
    *,
    shape: tuple[int, int, int],
    num_classes: int,
    download: bool,
    opener: Opener,
) -> Split:
    """Return a split from parquet files if `path` holds some, otherwise from torchvision's archive there.

    Raises: UserError naming the folder if neither can be read.
    """
    folder = user_path(path)
    if not folder.is_dir() and not download:
        raise MissingDataError(f"{folder}: no such folder; set the data set's 'path', or 'download: true'")
    by_split = {name: parquet_files(folder, name) for name in ("train", "test")}
    require_equal_names([*by_split["train"], *by_split["test"]])
    if by_split[split]:
        return parquet_split(by_split[split], shape=shape, num_classes=num_classes)
    try:
        archive = opener(str(folder), split == "train", download)
        images, labels = np.asarray(archive.data), np.asarray(archive.targets, np.int64)
    except FAILURES as error:
        # torchvision's own advice names its argument, not our option.
        reason = " ".join(str(error).split()).split(". You can")[0] or type(error).__name__
        way_out = "check the network" if download else "set 'path' to where they are, or 'download: true'"
        # torchvision raises RuntimeError if it finds nothing. If a file is damaged, its readers raise other errors.
        kind = MissingDataError if isinstance(error, RuntimeError) else UserError
        raise kind(
            f"{folder}: neither {split}.parquet nor parts of it, nor torchvision's archive ({reason}); {way_out}"
        ) from error
    if images.shape[1:3] != shape[:2]:
        found, wanted = ("x".join(map(str, size)) for size in (images.shape[1:], shape[:2]))
        raise UserError(f"{folder}: torchvision's archive has images of {found}, not {wanted}; fetch it again")
    if not len(images) or len(images) != len(labels):
        raise UserError(
            f"{folder}: torchvision's archive has {len(images)} images and {len(labels)} labels in '{split}'"
        )
    return split_of_arrays(images.reshape(-1, *shape), checked_labels(labels, num_classes, str(folder)))
