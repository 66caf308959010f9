"""LMDB databases, read page by page, with every offset checked.

The library maps a file and trusts it. If the file is cut short, or holds zeros where a download stopped, the library
ends the process by a signal. This module reads the form in which sets of images are distributed: the unnamed database
of a file from a 64-bit little-endian machine, without duplicate keys.
Source: the layout of LMDB 0.9 (data version 1), in its mdb.c. A file consists of pages. The first two are headers; the
one of the later transaction is valid. A B-tree of branch and leaf pages leads to keys and values. Large values have
their own overflow pages.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NoReturn

from diffbench.base.errors import UserError

MAGIC, VERSION = 0xBEEFC0DE, 1

HEADER = struct.Struct("<16xII16xI44x4xHH24xQQ8xQ")
"""Magic, version, bytes of a page; of the main database: flags, depth, entries and root; transaction."""

PAGE = struct.Struct("<Q2xHHH")
"""Number, kind, and where free space begins and ends. Overflow pages have their count in the last two fields."""

NODE = struct.Struct("<HHHH")
"""Bytes of the value (low and high half), flags, bytes of the key. In a branch the first three are a page's number."""

BRANCH, LEAF, OVERFLOW = 1, 2, 4
KINDS = 0x6F
"""The flags of a page that say its kind. The other flags mattered only while it was written."""

IN_OVERFLOW, OF_OTHER_KIND = 1, 6
"""Flags of a value: it is in overflow pages; it is a database or has duplicates."""

DUPLICATES = 0x74
"""Flags of a database whose keys may occur more than once."""

EMPTY = 2**64 - 1
"""The root of a database without entries."""

Place = tuple[int, int, int | None]
"""Where a value begins in the file, its number of bytes, and the first of its overflow pages, if it has any."""


class Database:
    """The entries of a database file. Raises: UserError if it is not one, when it is opened or while it is read."""

    def __init__(self, file: Path):
        self._file = file
        if not file.is_file():
            self._fail("no such file, or no regular one")
        self._size = file.stat().st_size
        with open(file, "rb") as stream:
            self._page_size = self._header(stream, 0)[2]
            if self._page_size not in (2**power for power in range(9, 17)):
                self._fail(f"pages of {self._page_size} bytes")
            later = max((self._header(stream, start) for start in (0, self._page_size)), key=lambda header: header[-1])
        *_, flags, self._depth, self.num_entries, self._root, _ = later
        if flags & DUPLICATES:
            self._fail("its keys may occur more than once, which is not read")

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield keys and values in the order of the tree, which is the order of the keys."""
        with open(self._file, "rb") as stream:
            # First only the tree, which is small. Otherwise a missing end of a large file would be found after hours.
            found = sum(1 for _ in self._places(stream))
            if found != self.num_entries:
                self._fail(f"it holds {found} entries, and says {self.num_entries}")
            for key, place in self._places(stream):
                yield key, self._value(stream, place)

    def _places(self, stream: IO[bytes]) -> Iterator[tuple[bytes, Place]]:
        """Yield keys and the places of their values."""
        seen: set[int] = set()
        pending = [(self._root, 1)] if self._root != EMPTY else []
        while pending:
            number, depth = pending.pop()
            if number in seen:
                self._fail(f"page {number} is reached twice")
            seen.add(number)
            page, kind, nodes = self._nodes(stream, number)
            if kind != (LEAF if depth == self._depth else BRANCH):
                self._fail(f"page {number} is of kind {kind} at depth {depth} of {self._depth}")
            if kind == LEAF:
                yield from (self._place(page, number, node) for node in nodes)
            else:
                children = (NODE.unpack_from(page, node) for node in reversed(nodes))
                pending += [(low | high << 16 | top << 32, depth + 1) for low, high, top, _ in children]

    def _header(self, stream: IO[bytes], start: int) -> tuple[int, ...]:
        found = HEADER.unpack(self._bytes(stream, start, HEADER.size))
        if found[:2] != (MAGIC, VERSION):
            self._fail(f"no header of data version {VERSION}")
        return found

    def _nodes(self, stream: IO[bytes], number: int) -> tuple[bytes, int, tuple[int, ...]]:
        """Return a page, its kind and where its nodes begin."""
        page = self._bytes(stream, number * self._page_size, self._page_size)
        own, kind, lower, _ = PAGE.unpack_from(page)
        if own != number or not PAGE.size <= lower <= self._page_size:
            self._fail(f"page {number} is damaged")
        nodes = struct.unpack_from(f"<{(lower - PAGE.size) // 2}H", page, PAGE.size)
        if any(node + NODE.size > self._page_size for node in nodes):
            self._fail(f"page {number} is damaged")
        return page, kind & KINDS, nodes

    def _place(self, page: bytes, number: int, node: int) -> tuple[bytes, Place]:
        low, high, flags, key_size = NODE.unpack_from(page, node)
        begin, size = node + NODE.size + key_size, low | high << 16
        inside = 8 if flags & IN_OVERFLOW else size
        if flags & OF_OTHER_KIND or begin + inside > self._page_size:
            self._fail(f"page {number} is damaged, or holds more than one database")
        key, start, overflow = page[begin - key_size : begin], number * self._page_size + begin, None
        if flags & IN_OVERFLOW:
            overflow = int.from_bytes(page[begin : begin + inside], "little")
            start = overflow * self._page_size + PAGE.size
        self._require(start + size)
        return key, (start, size, overflow)

    def _value(self, stream: IO[bytes], place: Place) -> bytes:
        start, size, overflow = place
        if overflow is not None:
            own, kind, low, high = PAGE.unpack(self._bytes(stream, start - PAGE.size, PAGE.size))
            # A value that replaced a larger one has kept the pages of the larger one.
            fits = PAGE.size + size <= (low | high << 16) * self._page_size
            if own != overflow or kind & KINDS != OVERFLOW or not fits:
                self._fail(f"page {overflow} is damaged")
        return self._bytes(stream, start, size)

    def _bytes(self, stream: IO[bytes], start: int, size: int) -> bytes:
        self._require(start + size)
        stream.seek(start)
        return stream.read(size)

    def _require(self, end: int) -> None:
        if end > self._size:
            self._fail(f"it ends at byte {self._size}, but should go on to byte {end} at least")

    def _fail(self, reason: str) -> NoReturn:
        raise UserError(f"{self._file}: cannot be read as LMDB ({reason}); fetch it again")
