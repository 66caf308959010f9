"""The type of images as bytes, and readers and writers of `.npz` files that can be larger than memory.

`np.load(mmap_mode=...)` ignores its argument for `.npz` and reads everything. A stored (uncompressed) member is an
ordinary `.npy` at an offset in the zip file, so it can be mapped; a compressed one can only be streamed. A plain `.npy`
is read as a file with one array, `arr_0`.

Files may come from strangers: no memory is allocated for what a header claims before the sizes in the archive agree.
"""

import io
import math
import os
import struct
import warnings
import zipfile
import zlib
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import numpy as np
from jaxtyping import UInt8

from diffbench.base.errors import UserError
from diffbench.base.writing import replacing

Bytes = UInt8[np.ndarray, "batch height width channel"]
"""Images as files hold them: 0..255, channels last."""

LOCAL_HEADER = struct.Struct("<4s5H3L2H")

NPY = "arr_0"
"""The name of the array in a plain `.npy`; `np.savez` would give it the same one."""

LONGEST_HEADER = 10_000
"""The most bytes of a `.npy` header. numpy has the same limit."""

LARGEST_RATIO = 1032
"""The most bytes to which deflate can expand one byte."""

BLOCK = 2**20
"""Bytes per read of an array that is read whole."""


class NpzWriter:
    """Writes the members of an `.npz` one after another, each in pieces; equal content gives equal bytes."""

    def __init__(self, archive: zipfile.ZipFile):
        self._archive = archive

    @contextmanager
    def member(self, name: str, shape: Sequence[int], dtype: np.dtype | type) -> Generator["MemberWriter"]:
        """Yield a writer for the array `name`, whose leading axis is filled piece by piece.

        Raises: ValueError if the pieces do not add up to `shape`.
        """
        # The date is fixed because zip members have one, and artifacts must not depend on when they were made.
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
    """A writer of one array of an `.npz`."""

    def __init__(self, stream: IO[bytes], shape: tuple[int, ...], dtype: np.dtype):
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
def writing_npz(path: Path | str) -> Generator[NpzWriter]:
    """Yield a writer of an uncompressed `.npz` that appears under `path` only when it is whole."""
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        yield NpzWriter(archive)


def save_npz(path: Path | str, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays to an uncompressed `.npz`, whole or not at all; equal arrays give equal bytes."""
    with writing_npz(path) as writer:
        for name, array in arrays.items():
            writer.add(name, array)


@dataclass(frozen=True)
class Header:
    """Shape and type of an array, which its header gives without a read of the array."""

    shape: tuple[int, ...]
    dtype: np.dtype
    fortran: bool = False

    @property
    def size(self) -> int:
        """The size of the array in bytes."""
        return math.prod(self.shape) * self.dtype.itemsize

    def __str__(self) -> str:
        return f"{self.dtype}{self.shape}"


def member_names(path: Path | str) -> list[str]:
    """Return the names of the arrays in an `.npz`, or `arr_0` for a plain `.npy`.

    Raises: UserError if the file is missing or is neither.
    """
    if _is_npy(path):
        return [NPY]
    with _archive(path) as archive:
        return _arrays(archive)


def read_header(path: Path | str, name: str) -> Header:
    """Return shape and type of one array; only its header is read.

    Raises: UserError naming the file, if it or the array is missing or damaged.
    """
    with _opened(path, name) as (_, header, _):
        return header


def is_whole(path: Path | str) -> bool:
    """Return whether an `.npz` exists and agrees with the checksums of its members.

    This is for files without a record: an artifact has a hash in its record. Mapped members are read without a check.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (OSError, ValueError, EOFError, RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error):
        return False


def read_member(path: Path | str, name: str) -> np.ndarray:
    """Return one array of an `.npz`: mapped read-only if it is stored, read whole if it is compressed.

    A mapped array is not compared with the archive's checksum. Raises: UserError as `read_header`.
    """
    with _opened(path, name) as (stream, header, offset):
        if offset is None or 0 in header.shape or not header.shape or header.dtype.kind not in "biufc":
            return _whole(stream, header, path, name)
        order = "F" if header.fortran else "C"
        return np.memmap(path, dtype=header.dtype, mode="r", offset=offset, shape=header.shape, order=order)


def load_member(path: Path | str, name: str) -> np.ndarray:
    """Return one array of an `.npz`, read whole and compared with the archive's checksum.

    Raises: UserError as `read_header`.
    """
    with _opened(path, name) as (stream, header, _):
        return _whole(stream, header, path, name)


def stream_member(path: Path | str, name: str, chunk: int) -> Iterator[np.ndarray]:
    """Yield an array of an `.npz` in pieces of `chunk` entries along the leading axis, in constant memory.

    The checksum is compared before the last piece is yielded. Raises: UserError as `read_header`.
    """
    shape = read_header(path, name).shape
    length = shape[0] if shape else 0
    yield from stream_pieces(path, name, (min(chunk, length - start) for start in range(0, length, chunk)))


def stream_pieces(path: Path | str, name: str, counts: Iterable[int]) -> Iterator[np.ndarray]:
    """Yield an array of an `.npz` in pieces of the given numbers of entries along the leading axis."""
    with _opened(path, name) as (stream, header, _):
        if header.fortran and len(header.shape) > 1 or not header.shape:
            raise UserError(
                f"{path}: array {name} cannot be streamed; save it in C order (np.ascontiguousarray), with a leading "
                "axis"
            )
        for count in counts:
            piece = Header((count, *header.shape[1:]), header.dtype)
            yield _whole(stream, piece, path, name)


@contextmanager
def _opened(path: Path | str, name: str) -> Generator[tuple[io.BufferedIOBase, Header, int | None]]:
    """Yield the stream after an array's header, the header, and where those bytes begin in the file.

    The last one is None if the array is compressed and cannot be mapped. Any damage is a UserError.
    """
    try:
        if _is_npy(path):
            with open(path, "rb") as stream:
                if name != NPY:
                    raise UserError(f"{path}: no array '{name}'; a plain .npy holds one, {NPY}")
                header = _read_header(stream, path, name)
                _require_size(header, os.fstat(stream.fileno()).st_size - stream.tell(), path, name)
                yield stream, header, stream.tell()
        else:
            with _archive(path) as archive:
                info = _member(archive, path, name)
                # It is a ZipExtFile, but zipfile's annotation does not say so.
                with cast(io.BufferedIOBase, archive.open(info)) as stream:
                    header = _read_header(stream, path, name)
                    _require_size(header, info.file_size - stream.tell(), path, name)
                    stored = info.compress_type == zipfile.ZIP_STORED
                    yield stream, header, _offset(path, info) + stream.tell() if stored else None
    except UserError:
        raise
    except OSError as error:
        raise UserError(f"{path}: array {name} cannot be read ({error.strerror or error})") from None
    # zipfile, zlib and the parser of headers raise many kinds of errors, all of which mean a damaged file.
    except Exception as error:
        raise UserError(f"{path}: array {name} is damaged ({_reason(error)}); make the file again") from None


def _is_npy(path: Path | str) -> bool:
    if not Path(path).is_file():  # A pipe is refused too, since a read would wait for a writer.
        raise UserError(f"{path}: {'a folder, not a file' if Path(path).is_dir() else 'no such file'}")
    try:
        with open(path, "rb") as file:
            return file.read(len(np.lib.format.MAGIC_PREFIX)) == np.lib.format.MAGIC_PREFIX
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None


def _archive(path: Path | str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None
    except Exception as error:
        reason = "" if isinstance(error, zipfile.BadZipFile) else f" ({_reason(error)})"
        raise UserError(f"{path}: not a whole .npz file{reason}; make it again") from None


def _arrays(archive: zipfile.ZipFile) -> list[str]:
    return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]


def _member(archive: zipfile.ZipFile, path: Path | str, name: str) -> zipfile.ZipInfo:
    """Return an array's entry in the archive. Raises: UserError if there is none, or its sizes cannot be true."""
    count = archive.namelist().count(f"{name}.npy")
    if not count:
        raise UserError(f"{path}: no array '{name}'; it holds {_listed(archive)}")
    if count > 1:
        raise UserError(f"{path}: {count} arrays are named '{name}'; give each a name of its own")
    info = archive.getinfo(f"{name}.npy")
    if info.flag_bits & 1:
        raise UserError(f"{path}: array {name} is encrypted; save the file without a password")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UserError(f"{path}: array {name} is compressed in a way that numpy does not write; save it by np.savez")
    ratio = 1 if info.compress_type == zipfile.ZIP_STORED else LARGEST_RATIO
    held = min(info.compress_size, os.path.getsize(path))
    if info.file_size > ratio * held:
        raise UserError(f"{path}: array {name} cannot be {info.file_size} bytes long; the file is damaged or cut off")
    return info


def _listed(archive: zipfile.ZipFile, most: int = 6) -> str:
    """Return the names of an archive's arrays, at most `most` of them, for a message."""
    names, kind = sorted(_arrays(archive)), ""
    if not names:
        names, kind = sorted(archive.namelist()), "no arrays but "
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{kind}{', '.join(name[:64] for name in names[:most])}{rest}" if names else "nothing"


def _offset(path: Path | str, info: zipfile.ZipInfo) -> int:
    """Return where in the file a member's bytes begin."""
    with open(path, "rb") as file:
        file.seek(info.header_offset)
        local = LOCAL_HEADER.unpack(file.read(LOCAL_HEADER.size))
    # The local header repeats the name and the extra field, and their lengths may differ from the central directory's.
    return info.header_offset + LOCAL_HEADER.size + local[9] + local[10]


def _read_header(stream: io.BufferedIOBase, path: Path | str, name: str) -> Header:
    """Return the header at the start of a stream. Raises: UserError, or any error of the parser."""
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0), (3, 0)):
        raise UserError(f"{path}: array {name} is of version {version} of the .npy format, which is not known")
    length_format = "<H" if version == (1, 0) else "<I"
    found = stream.read(struct.calcsize(length_format))
    (length,) = struct.unpack(length_format, found)
    if length > LONGEST_HEADER:
        raise UserError(f"{path}: array {name} has a header of {length} bytes, which no array needs; make it again")
    text = io.BytesIO(found + stream.read(length))
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    with warnings.catch_warnings():  # numpy warns of headers by old versions.
        warnings.simplefilter("ignore")
        shape, fortran, dtype = read(text)
    if dtype.hasobject:
        raise UserError(f"{path}: array {name} holds Python objects, which are never loaded; save it as numbers")
    if dtype.kind not in "biufcSU" or any(extent < 0 for extent in shape):
        raise UserError(f"{path}: array {name} is {str(dtype)[:64]}{shape}, which is no array of numbers or text")
    return Header(tuple(map(int, shape)), dtype, fortran)


def _require_size(header: Header, held: int, path: Path | str, name: str) -> None:
    if header.size != held:
        cut = "; the file is cut off" if held < header.size else ""
        raise UserError(
            f"{path}: array {name} holds {held} bytes, and by its header {header} it has {header.size}{cut}; "
            "make it again"
        )


def _whole(stream: io.BufferedIOBase, header: Header, path: Path | str, name: str) -> np.ndarray:
    """Return the array of a header from the next bytes of a stream, without a second copy in memory."""
    data = np.empty(header.size, np.uint8)
    filled, view = 0, data.data
    while filled < len(data):
        count = stream.readinto(view[filled : filled + BLOCK])
        if not count:
            raise UserError(f"{path}: array {name} ends early; the file is cut off")
        filled += count
    return data.view(header.dtype).reshape(header.shape, order="F" if header.fortran else "C")


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
