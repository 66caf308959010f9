"""The name of a new benchmark and the file that it is written to, neither of which may be taken."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from pathlib import Path

from diffbench.base.errors import UserError
from diffbench.base.names import require_benchmark
from diffbench.base.user_path import user_path
from diffbench.benchmark.codehash import PACKAGE_ROOT
from diffbench.benchmark.places import SHIPPED, configured_by, folder_of, home_of
from diffbench.benchmark.yaml_file import read_yaml

SCHEMA = PACKAGE_ROOT / "schemas/benchmark.schema.json"
"""The schema of a benchmark's file, in a clone of the project."""

LONGEST = 60
"""The most letters of a name that is made from a folder's."""


def place_of(suggested: str, name: str | None, out: Path | None) -> tuple[str, Path]:
    """Return a benchmark's name and the path of its new file.

    suggested: what the name is made from if the user gives none. Raises: UserError if the file exists, or the user's
    name is that of another benchmark.
    """
    if name is not None:
        require_benchmark(name)
    shipped = _names_in(PACKAGE_ROOT / SHIPPED)
    first = name or _free(_valid(suggested), shipped)
    out = Path(f"{first}.yaml") if out is None else user_path(out)
    if os.path.lexists(out):
        raise UserError(f"{out}: exists already; remove it, or write to another file with --out FILE")
    if not out.absolute().parent.is_dir():
        raise UserError(f"--out {out}: {out.parent} is no folder; make it first")
    taken = {**shipped, **_names_in(Path()), **_names_in(out.absolute().parent)}
    if name is None:
        return _free(first, taken), out
    if (other := _other(name, taken)) is not None:
        raise UserError(f"--name {name}: is the name of the benchmark in {other}; choose another")
    return name, out


def written_path(path: str, out: Path) -> str:
    """Return a path as the new file must give it: from the file's folder on if the user gave a relative one."""
    given = user_path(path)
    if given.is_absolute():
        return path
    return Path(os.path.relpath(given, folder_of(out))).as_posix()


def schema_path(out: Path) -> str | None:
    """Return the path, from the new file's folder on, of the schema in a clone; None if it cannot be given.

    The comment in which editors look for it ends at a space.
    """
    if not SCHEMA.is_file():
        return None
    path = Path(os.path.relpath(SCHEMA, out.absolute().parent)).as_posix()
    return path if path.split() == [path] else None


def _valid(text: str) -> str:
    """Return a name of letters, digits and underscores that does not begin with a digit."""
    plain = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")[:LONGEST]
    return plain if plain and not plain[0].isdigit() else f"pictures_{plain}".rstrip("_")


def _free(name: str, taken: Mapping[str, Path]) -> str:
    numbered = (name if number == 1 else f"{name}_{number}" for number in count(1))
    return next(found for found in numbered if _other(found, taken) is None)


def _other(name: str, taken: Mapping[str, Path]) -> Path | None:
    """Return the file of another benchmark with this name, or with one that differs by case alone.

    File systems may not tell such names apart. The file that made the results of this name counts wherever it is.
    """
    if name.lower() in taken:
        return taken[name.lower()]
    made_by = configured_by(home_of(name), name)
    held = dict(_benchmarks([made_by])) if made_by is not None else {}
    return made_by if name in held.values() else None


def _names_in(folder: Path) -> dict[str, Path]:
    """Return the benchmarks of a folder's files by their names in lower case."""
    files = sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])
    return {name.lower(): file for file, name in _benchmarks(files)}


def _benchmarks(files: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    for file in files:
        try:
            content = read_yaml(file)
        except (UserError, OSError):
            continue
        if isinstance(content, Mapping) and isinstance(content.get("benchmark"), str):
            yield file, content["benchmark"]
