"""The records of a tree of results, followed from tables and figures back to the data."""

import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath
from typing import Any

from diffbench.base.digests import sha256
from diffbench.base.errors import UserError
from diffbench.base.provenance_file import RESULTS, Recorded, difference, provenance_path, read_provenance, way_out
from diffbench.base.records import read_records
from diffbench.benchmark.stage_of import stage_of
from diffbench.page.contents import File

SCORES = f"{RESULTS}/scores/"
"""The beginning of the places of files of scores."""


class Tree:
    """A folder of results. A file's place is its path in the folder in which jobs ran: `results/...`."""

    def __init__(self, results: Path):
        self.results = results
        self._records: dict[str, Recorded | None] = {}
        self._scores: dict[str, list[dict[str, Any]]] = {}

    def path(self, place: str) -> Path:
        """Return where the file of a place is now. The folder may have been copied to another name."""
        return self.results.joinpath(*PurePath(place).parts[1:])

    def place(self, path: Path) -> str:
        """Return the place of a file in the folder."""
        return f"{RESULTS}/{path.relative_to(self.results).as_posix()}"

    def has(self, place: str) -> bool:
        """Return whether the file of a place is here."""
        return self.path(place).is_file()

    def recorded(self, place: str) -> Recorded | None:
        """Return the record of a file; None if it has none here. Raises: UserError if the record is damaged."""
        if place not in self._records:
            path = self.path(place)
            self._records[place] = read_provenance(path) if provenance_path(path).is_file() else None
        return self._records[place]

    def whole(self, place: str) -> Recorded | None:
        """Return the record of a file that is here, after comparing their hashes; None if it has no record.

        Raises: UserError if the file is not what its record says.
        """
        recorded = self.recorded(place)
        if recorded is not None and (found := sha256(self.path(place))) != recorded["sha256"]:
            raise UserError(f"{self.path(place)}: {difference(found, recorded['sha256'])}; {way_out(self.path(place))}")
        return recorded

    def scores(self, place: str) -> list[dict[str, Any]]:
        """Return the tidy records of a file of scores; none if it is not here. Raises: UserError if it is damaged."""
        if place not in self._scores:
            self._scores[place] = read_records([self.path(place)]) if self.has(place) else []
        return self._scores[place]

    def sources(self, place: str) -> dict[str, str]:
        """Return the places of the files that a file was made from, by the names in its record."""
        recorded = self.recorded(place)
        found = {} if recorded is None else dict(recorded.get("places", {}))
        return {name: self.artifact(source) for name, source in found.items()}

    def artifact(self, place: str) -> str:
        """Return the artifact's own place for that of its record, which is an input of some jobs."""
        artifact = place.removesuffix(".json")
        is_record = place.endswith(".json") and not provenance_path(self.path(place)).is_file()
        return artifact if is_record and self.has(place) else place

    def upstream(self, places: Iterable[str]) -> list[str]:
        """Return places with everything that they were made from and that has a record, nearest first."""
        found = dict.fromkeys(places)
        pending = list(found)
        for place in pending:  # The list grows while it is read.
            new = [source for source in dict.fromkeys(self.sources(place).values()) if source not in found]
            found |= dict.fromkeys(new)
            pending += new
        return [place for place in found if self.recorded(place) is not None]


def files_of(tree: Tree, places: list[str], again: str) -> tuple[File, ...]:
    """Return the files of places. again: the command that makes a file, with {} for the file's place."""
    at = {place: number for number, place in enumerate(places)}
    return tuple(_file(tree, place, at, again) for place in places)


def _file(tree: Tree, place: str, at: Mapping[str, int], again: str) -> File:
    recorded = tree.recorded(place)
    assert recorded is not None  # Only places that have a record are given.
    sources = tree.sources(place)
    inputs = [(name, at.get(sources.get(name, ""), digest)) for name, digest in recorded["inputs"].items()]
    given = recorded.get("facts", {}).get("given", {})
    # A table or a figure names its inputs by their paths, which its list of sources says again.
    named = [(PurePath(name).name if name in sources.values() else name, source) for name, source in inputs]
    facts = {key: value for key, value in recorded["facts"].items() if not (key == "given" and given)}
    return File(
        place=place,
        stage=stage_of(PurePath(place), recorded["spec"]),
        sha256=recorded["sha256"],
        again=again.format(shlex.quote(place)),
        inputs=tuple(named),
        spec={key: value for key, value in recorded["spec"].items() if key != "upstream"},
        facts=facts,
        versions=recorded["versions"],
        threads=recorded["threads"],
        numbers=tuple(map(_number, tree.scores(place))) if place.startswith(SCORES) else (),
    )


def _number(item: Mapping[str, Any]) -> tuple[str, str, str, str, str, str]:
    value, low, high = (f"{item[key]:.6g}" for key in ("value", "low", "high"))
    return item["metric"], value, low, high, item["covers"], item["protocol"] or ""
