"""Files that a job reads, each hashed once and compared with the record beside it and with the job's spec."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from diffbench.base.digests import FOREIGN, foreign_digest, sha256, spec_digest
from diffbench.base.errors import UserError
from diffbench.base.provenance_file import Recorded, difference, provenance_path, read_provenance, way_out

Held = TypeVar("Held")


@dataclass(frozen=True)
class Inputs:
    """Files that a job reads, each hashed once and found to be what the record beside it says.

    All three by the name that the job's own record gives a file; `records` holds those of the files that have one.
    """

    paths: Mapping[str, Path]
    sha256: Mapping[str, str]
    records: Mapping[str, Recorded]

    def __or__(self, other: "Inputs") -> "Inputs":
        """Return the files of both."""
        return Inputs({**self.paths, **other.paths}, {**self.sha256, **other.sha256}, {**self.records, **other.records})

    def only(self, *names: str) -> "Inputs":
        """Return those of these names."""
        return self.renamed({name: name for name in names})

    def renamed(self, names: Mapping[str, str]) -> "Inputs":
        """Return those that `names` holds, under the names that it gives them."""
        return Inputs(_renamed(self.paths, names), _renamed(self.sha256, names), _renamed(self.records, names))


def _renamed(held: Mapping[str, Held], names: Mapping[str, str]) -> dict[str, Held]:
    return {new: held[name] for name, new in names.items() if name in held}


NOTHING = Inputs({}, {}, {})


def checked(
    inputs: Mapping[str, Path | str | None],
    *,
    foreign: Collection[str] = (),
    upstream: Mapping[str, str] = MappingProxyType({}),
) -> Inputs:
    """Return a job's inputs with their hashes, each compared with the one in the record beside it. None: not given.

    foreign: names of files that may come from elsewhere and need no record; where they have one, it counts. upstream:
    as `upstream_of` returns it.
    Raises: UserError naming the file that is missing, has no record, is not what its record says, or was made from
    something else than the job is to be made from.
    """
    paths = {name: Path(path) for name, path in inputs.items() if path is not None}
    require_files(list(paths.values()))
    hashes: dict[str, str] = {}
    records: dict[str, Recorded] = {}
    for name, path in paths.items():
        if name not in foreign or provenance_path(path).is_file():
            records[name] = read_provenance(path)
        hashes[name] = sha256(path)
        if name in records and records[name]["sha256"] != hashes[name]:
            raise UserError(f"{path}: {difference(hashes[name], records[name]['sha256'])}; {way_out(path)}")
        if name in upstream:
            require_upstream(path, upstream[name], records.get(name), hashes[name])
    return Inputs(paths, hashes, records)


def upstream_of(upstream: Mapping[str, str | Sequence[str]], **several: Sequence[Path]) -> dict[str, str]:
    """Return the digests that a job expects of its inputs, by the input's name; nothing where it expects none.

    upstream: the job's. several: files of which it lists the digests under one name; they are named by their paths.
    Raises: UserError where they are not as many as the job expects.
    """
    found = {name: expected for name, expected in upstream.items() if isinstance(expected, str) and name not in several}
    for source, paths in several.items():
        expected = upstream.get(source, ())
        expected = [expected] if isinstance(expected, str) else expected
        if source in upstream and len(expected) != len(paths):
            raise UserError(f"--{source}: {len(paths)} files, and the spec is of {len(expected)}")
        found |= dict(zip(map(str, paths), expected, strict=False))
    return found


def require_upstream(path: Path, expected: str, record: Mapping[str, Any] | None, found: str) -> None:
    """Raise UserError where a file was made from other settings, code or data than a digest names.

    record: the file's. found: its own SHA-256, which tells a file that no job of ours made.
    """
    if expected.startswith(FOREIGN):
        agrees = foreign_digest(found, record) == expected
    else:
        agrees = record is not None and spec_digest(record["spec"]) == expected
    if not agrees:
        raise UserError(f"{path}: was made from other settings, code or data than this job is of; {way_out(path)}")


def require_files(paths: Sequence[Path | str]) -> None:
    """Raise UserError naming the first path that is not a readable file."""
    for path in paths:
        if not Path(path).is_file():
            raise UserError(f"{path}: no such file")
