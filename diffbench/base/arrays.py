"""Shapes by name, and `.npz` files that can be larger than memory.

`np.load(mmap_mode=...)` ignores its argument for `.npz` and reads everything. A stored (uncompressed) member is an
ordinary `.npy` at an offset of the zip file, so it can be mapped; a compressed one can only be streamed.
"""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from diffbench.base.artifacts import replacing
from diffbench.base.errors import UserError

Bytes = UInt8[np.ndarray, "batch height width channel"]
"""Images as files hold them: 0..255, channels last."""

LOCAL_HEADER = struct.Struct("<4s5H3L2H")


class NpzWriter:
    """Writes the members of an `.npz` one after another, each in pieces; equal content gives equal bytes."""

    def __init__(self, archive: zipfile.ZipFile):
        self._archive = archive

    @contextmanager
    def member(self, name: str, shape: Sequence[int], dtype: np.dtype | type) -> Iterator["MemberWriter"]:
        """Yield a writer for the array `name`, whose leading axis is filled piece by piece.

        Raises: ValueError where the pieces do not add up to `shape`.
        """
        # A fixed date: zip members carry one, and artifacts must not.
        info = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
        with self._archive.open(info, "w", force_zip64=True) as stream:
            writer = MemberWriter(stream, tuple(shape), np.dtype(dtype))
            yield writer
            writer.finish()

    def add(self, name: str, array: np.ndarray) -> None:
        """Write a whole array."""
        array = np.asarray(array)
        with self.member(name, array.shape, array.dtype) as writer:
            writer.write(array)


class MemberWriter:
    """One array of an `.npz` in the making."""

    def __init__(self, stream: io.BufferedIOBase, shape: tuple[int, ...], dtype: np.dtype):
        self._stream, self._shape, self._dtype = stream, shape, dtype
        self._missing = int(np.prod(shape, dtype=np.int64))
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(stream, header)  # type: ignore[arg-type]

    def write(self, piece: np.ndarray) -> None:
        """Append the next entries along the leading axis."""
        if piece.dtype != self._dtype or (self._shape and piece.shape[1:] != self._shape[1:]):
            raise ValueError(f"piece is {piece.dtype}{piece.shape}, array is {self._dtype}{self._shape}")
        self._missing -= piece.size
        self._stream.write(np.ascontiguousarray(piece).data if piece.size else b"")

    def finish(self) -> None:
        """Check that the pieces filled the shape."""
        if self._missing:
            raise ValueError(f"array of shape {self._shape} is off by {self._missing} entries")


@contextmanager
def writing_npz(path: Path | str) -> Iterator[NpzWriter]:
    """Yield a writer of an uncompressed `.npz` that appears under `path` only when it is whole."""
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        yield NpzWriter(archive)


def save_npz(path: Path | str, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays to an uncompressed `.npz`, whole or not at all; equal arrays give equal bytes."""
    with writing_npz(path) as writer:
        for name, array in arrays.items():
            writer.add(name, array)


def member_names(path: Path | str) -> list[str]:
    """Return the names of the arrays in an `.npz`.

    Raises: UserError where the file is missing or is not an `.npz`.
    """
    with _archive(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist()]


def is_whole(path: Path | str) -> bool:
    """Return whether an `.npz` is there and all of it is what was written, by the checksums of its members.

    Mapped members are read without them; an artifact has a hash in its record, and this is for files that have none.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (OSError, ValueError, EOFError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error):
        return False


def read_member(path: Path | str, name: str) -> np.ndarray:
    """Return one array of an `.npz`: mapped read-only where it is stored, read whole where it is compressed.

    Raises: UserError naming the file, where it or the array is missing or damaged.
    """
    with _opened(path, name) as (stream, info):
        shape, fortran, dtype = _read_header(stream, path, name)
        header_length = stream.tell()
        if info.compress_type != zipfile.ZIP_STORED or not shape or 0 in shape or dtype.kind not in "biufc":
            length = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
            data = np.frombuffer(bytearray(_read_exactly(stream, length, path, name)), dtype)
            return data.reshape(shape, order="F" if fortran else "C")
    with open(path, "rb") as file:
        file.seek(info.header_offset)
        local = LOCAL_HEADER.unpack(file.read(LOCAL_HEADER.size))
    # The local header repeats the name and extra field, whose length may differ from the central directory's.
    offset = info.header_offset + LOCAL_HEADER.size + local[9] + local[10] + header_length
    return np.memmap(path, dtype=dtype, mode="r", offset=offset, shape=shape, order="F" if fortran else "C")


def stream_member(path: Path | str, name: str, chunk: int) -> Iterator[np.ndarray]:
    """Yield an array of an `.npz` in pieces of `chunk` entries along the leading axis, in constant memory.

    Raises: UserError naming the file, where it or the array is missing or damaged.
    """
    with _opened(path, name) as (stream, _):
        shape, fortran, dtype = _read_header(stream, path, name)
        if fortran or not shape:
            raise UserError(f"{path}: array {name} cannot be streamed; save it in C order, with a leading axis")
        row = int(np.prod(shape[1:], dtype=np.int64)) * dtype.itemsize
        for start in range(0, shape[0], chunk):
            count = min(chunk, shape[0] - start)
            data = _read_exactly(stream, count * row, path, name)
            yield np.frombuffer(data, dtype).reshape(count, *shape[1:])


@contextmanager
def _opened(path: Path | str, name: str) -> Iterator[tuple[io.BufferedIOBase, zipfile.ZipInfo]]:
    """Yield a member's bytes and its place in the archive; damage of any kind is one line."""
    try:
        with _archive(path) as archive:
            info = _member(archive, path, name)
            with archive.open(info) as stream:
                yield stream, info
    except (ValueError, EOFError, OSError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{path}: array {name} is damaged ({error}); make the file again") from None


def _archive(path: Path | str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except zipfile.BadZipFile:
        raise UserError(f"{path}: not a whole .npz file; make it again") from None


def _member(archive: zipfile.ZipFile, path: Path | str, name: str) -> zipfile.ZipInfo:
    try:
        return archive.getinfo(f"{name}.npy")
    except KeyError:
        held = ", ".join(sorted(item.removesuffix(".npy") for item in archive.namelist()))
        raise UserError(f"{path}: no array '{name}'; it holds {held}") from None


def _read_header(stream: io.BufferedIOBase, path: Path | str, name: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(stream)
    if dtype.hasobject:
        raise UserError(f"{path}: array {name} holds Python objects, which are never loaded")
    return shape, fortran, dtype


def _read_exactly(stream: io.BufferedIOBase, length: int, path: Path | str, name: str) -> bytes:
    pieces = []
    while length:
        piece = stream.read(length)
        if not piece:
            raise UserError(f"{path}: array {name} ends early; the file is cut off")
        pieces.append(piece)
        length -= len(piece)
    return b"".join(pieces)
