"""What a published file must not hold: paths and the name of this machine."""

import mmap
import os
import re
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from diffbench.base.errors import UserError
from diffbench.benchmark.codehash import PACKAGE_ROOT

TEXTS = (".json", ".csv", ".md", ".html", ".yaml", ".svg", ".log")
"""The endings of files in which a name of the machine is looked for; in others its letters may stand by chance."""

SHORTEST = 5
"""The fewest letters of a machine's name that is looked for, since a shorter one may be a word."""


def require_no_leaks(folder: Path, places: Iterable[Path], homes: Iterable[Path]) -> None:
    """Raise UserError if a file holds a path or the name of this machine.

    places: relative to `folder`. homes: folders whose absolute path must not be in a file.
    """
    words = sorted(
        {os.fsencode(path) for path in (*homes, Path.home(), Path.cwd(), PACKAGE_ROOT) if len(path.parts) > 1}
    )
    machine = socket.gethostname()
    named = re.compile(rf"(?<![\w.-]){re.escape(machine)}(?![\w-])".encode()) if len(machine) >= SHORTEST else None
    for place in places:
        found = _held(folder / place, words, named if place.suffix in TEXTS else None)
        if found is not None:
            raise UserError(
                f"{place.as_posix()}: holds '{found}', a path or the name of this machine, so nothing was published; "
                "leave that file out, or make it again without it"
            )


def _held(path: Path, words: Iterable[bytes], named: re.Pattern[bytes] | None) -> str | None:
    if not path.stat().st_size:
        return None
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for word in words:
            place = content.find(word)
            # "/home/me" is not in "/home/median".
            if place >= 0 and not content[place + len(word) : place + len(word) + 1].isalnum():
                return os.fsdecode(word)
        match = named.search(content) if named else None
        return match[0].decode() if match else None


def require_relative(content: Any, source: Path, where: str = "") -> None:
    """Raise UserError if a benchmark's file names an absolute path or one in a home folder.

    content: the parsed file. The paths of data and weights are no part of results, so a relative one changes nothing.
    """
    if isinstance(content, Mapping):
        for key, value in content.items():
            require_relative(value, source, f"{where}.{key}" if where else str(key))
    elif isinstance(content, list):
        for i, value in enumerate(content):
            require_relative(value, source, f"{where}[{i}]")
    elif isinstance(content, str) and (content.startswith("~") or os.path.isabs(content)):
        raise UserError(
            f"{source}: {where}: {content} is a path of this machine; write a relative one, which changes no result"
        )
