"""The input files of a job, each hashed once and compared with the record beside it and with the job's spec."""

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
    """The input files of a job, after each was hashed once and agreed with the record beside it.

    The keys of all three maps are the names that the job's own record uses for its inputs. `records` lacks the files
    that have no record.
    """

    paths: Mapping[str, Path]
    sha256: Mapping[str, str]
    records: Mapping[str, Recorded]

    def __or__(self, other: "Inputs") -> "Inputs":
        """Return the files of both sets."""
        return Inputs({**self.paths, **other.paths}, {**self.sha256, **other.sha256}, {**self.records, **other.records})

    def only(self, *names: str) -> "Inputs":
        """Return the files with these names."""
        return self.renamed({name: name for name in names})

    def renamed(self, names: Mapping[str, str]) -> "Inputs":
        """Return the files whose names are keys of `names`, under the new names that are its values."""
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
    """Return a job's inputs with their hashes, each compared with the one in the record beside it.

    inputs: paths by name; None for an input that is not given. foreign: names of files that may come from elsewhere
    and need no record; if they have one, it is checked too. upstream: as `upstream_of` returns it.
    Raises: UserError naming the file that is missing, has no record, differs from its record, or was made from
    something else than the job asks for.
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
    """Return the digests that a job expects of its inputs, by the input's name.

    upstream: the job's. several: the files for each key of `upstream` that holds a list; their names in the result are
    their paths. Raises: UserError if there are more or fewer of them than the job expects.
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
    """Raise UserError if a file was made from other settings, code or data than a digest names.

    record: the record beside the file. found: the file's SHA-256, which identifies a file that no diffbench job made.
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
