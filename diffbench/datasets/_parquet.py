"""Images from parquet files in the layout of Hugging Face data sets.

A folder holds `{split}.parquet`, or numbered parts `{split}-00000-of-00002.parquet`. A column `image` (or
`img`) holds the encoded picture, as bytes or as a struct with a field `bytes`; a column `label` holds whole
numbers.
"""

import json
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
from jaxtyping import UInt8

from diffbench.base.arrays import Bytes
from diffbench.base.errors import UserError
from diffbench.base.names import SplitName
from diffbench.datasets._crop import Crop
from diffbench.datasets._decode import decoded, require_shape
from diffbench.datasets._noticed import Noticed
from diffbench.datasets._split import CHUNK, Split, checked_labels

IMAGE_COLUMNS = ("image", "img")
PART = re.compile(r"-([0-9]+)-of-([0-9]+)(-[0-9a-f]+)?\.parquet")
"""How the names of numbered parts end. The hub's tools added a hash after the numbers until 2023."""

LARGEST = 2**32
"""The most bytes of pictures in a row group, unpacked, because a whole row group is held in memory at once."""


def parquet_files(folder: Path, split: SplitName | str) -> list[Path]:
    """Return the files of a split in order, empty if the folder has none.

    Raises: UserError if numbered parts are missing or there twice, if a name has another form, or if a whole file lies
    beside parts.
    """
    whole, parts = folder / f"{split}.parquet", sorted(folder.glob(f"{split}-*.parquet"))
    if whole.exists() and parts:
        raise UserError(f"{whole}: lies beside {parts[0].name}; which of the two is meant? Remove the other")
    if whole.exists():
        return [whole]
    by_number: dict[int, Path] = {}
    total = None
    for part in parts:
        found = PART.fullmatch(part.name.removeprefix(split))
        if found is None:
            raise UserError(
                f"{part}: parts are called {split}-00000-of-00002.parquet and so on; rename it, or move it away"
            )
        number, total = int(found[1]), int(found[2]) if total is None else total
        if int(found[2]) != total:
            raise UserError(
                f"{part}: is one of {int(found[2])} parts, and {parts[0].name} one of {total}; keep one set"
            )
        if number in by_number:
            raise UserError(f"{part}: is part {number} of '{split}', as is {by_number[number].name}; keep one of them")
        by_number[number] = part
    if by_number and sorted(by_number) != list(range(total or 0)):
        raise UserError(
            f"{parts[0]}: {len(parts)} parts of '{split}' are there, not all of 0 to {(total or 0) - 1}; fetch the rest"
        )
    return [by_number[number] for number in sorted(by_number)]


def require_equal_names(files: list[Path]) -> None:
    """Raise UserError if files give different names to the classes that they number.

    The hub's tools write the names into the file. Files without names are not compared.
    """
    first: tuple[Path, list[str]] | None = None
    for file in files:
        names = _class_names(file)
        if names is None:
            continue
        first = first or (file, names)
        odd = next((pair for pair in zip(names, first[1], strict=False) if pair[0] != pair[1]), None)
        if odd is not None or len(names) != len(first[1]):
            what = (
                f"calls a class '{odd[0]}' that is '{odd[1]}'" if odd else f"names {len(names)} classes, not as many as"
            )
            raise UserError(f"{file}: {what} in {first[0].name}; labels of both must mean the same")


def _class_names(file: Path) -> list[str] | None:
    """Return the names of classes in the order of their numbers, None if the file does not tell them."""
    with _reading(file) as opened:
        written = (opened.schema_arrow.metadata or {}).get(b"huggingface")
    try:
        names = json.loads(written or b"null")["info"]["features"]["label"]["names"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return [str(name) for name in names] if isinstance(names, list) else None


def parquet_split(
    files: list[Path], *, shape: tuple[int, int, int], num_classes: int, crop: Crop | None = None
) -> Split:
    """Return the images and labels of parquet files, decoded while they are asked for.

    shape: height, width and channels that every picture must have, after the crop if there is one.
    Raises: UserError naming the file.
    """
    labels = np.concatenate([_labels(file, num_classes) for file in files])
    if not len(labels):
        raise UserError(f"{files[0]}: holds no images")
    noticed = Noticed()
    chunks, cut = _chunks(files, shape, crop, noticed), partial(_cut, _RowGroups(files), shape[2], crop)
    return Split(num_images=len(labels), shape=shape, labels=labels, chunks=chunks, cut=cut, notes=noticed.notes)


@contextmanager
def _reading(file: Path) -> Iterator[pyarrow.parquet.ParquetFile]:
    if not file.is_file():
        raise UserError(f"{file}: is no regular file; fetch it again")
    try:
        with pyarrow.parquet.ParquetFile(file) as opened:
            yield opened
    except UserError:
        raise
    # Damage shows as an ArrowException, as an OSError, or as what a damaged value makes its reader raise (ValueError).
    except (pyarrow.ArrowException, OSError, ValueError, MemoryError, OverflowError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{file}: cannot be read as parquet ({reason}); fetch it again") from error


def _labels(file: Path, num_classes: int) -> np.ndarray:
    with _reading(file) as opened:
        _require_column(file, opened, ("label",))
        column = opened.read(columns=["label"]).column("label")
    if not pyarrow.types.is_integer(column.type) or column.null_count:
        raise UserError(f"{file}: column 'label' must hold whole numbers without gaps, it is {column.type}")
    return checked_labels(column.to_numpy().astype(np.int64), num_classes, str(file))


def _require_column(file: Path, opened: pyarrow.parquet.ParquetFile, allowed: tuple[str, ...]) -> str:
    held = opened.schema_arrow.names
    for name in allowed:
        if name in held:
            return name
    raise UserError(f"{file}: no column {' or '.join(map(repr, allowed))}; it holds {', '.join(held)}")


class _RowGroups:
    """The places of the pictures: the row groups of all files. Parquet reads one row group at a time."""

    def __init__(self, files: list[Path]):
        self._files = files

    @cached_property
    def _groups(self) -> tuple[list[tuple[Path, int, int]], list[int]]:
        """Each group's file, number and first row in it; and for each group the number of its first picture."""
        groups, begins, total = [], [], 0
        for file in self._files:
            with _reading(file) as opened:
                rows = [opened.metadata.row_group(group).num_rows for group in range(opened.num_row_groups)]
            for group, count in enumerate(rows):
                groups.append((file, group, sum(rows[:group])))
                begins.append(total)
                total += count
        return groups, begins

    def encoded(self, k: int) -> tuple[bytes | None, str]:
        """Return the bytes of picture k, and its name for messages. Its whole row group is read."""
        groups, begins = self._groups
        place = bisect_right(begins, k) - 1
        file, group, row = groups[place]
        with _reading(file) as opened:
            column = _picture_column(file, opened)
            value = opened.read_row_group(group, columns=[column]).column(0)[k - begins[place]].as_py()
        data, name = _bytes_and_name(value)
        return data, _where(file, row + k - begins[place], name)


def _cut(
    groups: _RowGroups, channels: int, own: Crop | None, k: int, other: Crop | None
) -> UInt8[np.ndarray, "height width channel"]:
    data, where = groups.encoded(k)
    return _decoded(data, channels, where, other or own)


def _chunks(files: list[Path], shape: tuple[int, int, int], crop: Crop | None, noticed: Noticed) -> Iterator[Bytes]:
    for file in files:
        row = 0
        for encoded in _encoded(file):
            pixels = np.empty((len(encoded), *shape), np.uint8)
            for position, (data, name) in enumerate(encoded):
                where = _where(file, row + position, name)
                image = _decoded(data, shape[2], where, crop, noticed)
                require_shape(image.shape, shape, where, "the data set is")
                pixels[position] = image
            row += len(encoded)
            yield pixels


def _encoded(file: Path) -> Iterator[list[tuple[bytes | None, str | None]]]:
    """Yield lists of (encoded picture, its own file name or None)."""
    with _reading(file) as opened:
        for batch in opened.iter_batches(CHUNK, columns=[_picture_column(file, opened)]):
            yield [_bytes_and_name(value) for value in batch.column(0).to_pylist()]


def _picture_column(file: Path, opened: pyarrow.parquet.ParquetFile) -> str:
    """Return the name of the column of pictures. Raises: UserError if it does not hold encoded pictures."""
    column = _require_column(file, opened, IMAGE_COLUMNS)
    kind = opened.schema_arrow.field(column).type
    bare = pyarrow.types.is_binary(kind) or pyarrow.types.is_large_binary(kind)
    if not bare and not (pyarrow.types.is_struct(kind) and "bytes" in {field.name for field in kind}):
        raise UserError(f"{file}: column '{column}' must hold encoded pictures, it is {kind}")
    for group in range(opened.num_row_groups):
        if opened.metadata.row_group(group).total_byte_size > LARGEST:
            raise UserError(f"{file}: row group {group} takes more than {LARGEST} bytes; write smaller ones")
    return column


def _bytes_and_name(value: bytes | Mapping[str, Any] | None) -> tuple[bytes | None, str | None]:
    return (value["bytes"], value.get("path")) if isinstance(value, Mapping) else (value, None)


def _where(file: Path, row: int, name: str | None) -> str:
    return f"{file}: row {row}" + (f" ({name})" if name else "")


def _decoded(
    data: bytes | None, channels: int, where: str, crop: Crop | None, noticed: Noticed | None = None
) -> UInt8[np.ndarray, "height width channel"]:
    if data is None:
        raise UserError(f"{where}: no picture is embedded; save the data set with its images")
    return decoded(data, channels, where, crop, noticed)
