"""Files that no job makes (pictures, weights and references by others), and what a tree of results records of them.

A spec contains the hash of such a file's content. A clone that has the artifacts made from it does not need the file
itself, because their records contain the hash.
"""

import ast
import base64
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from diffbench.base.contents import ABSENT, content_of, source_of
from diffbench.base.digests import foreign_digest
from diffbench.base.errors import UserError
from diffbench.base.provenance_file import provenance_path, read_provenance
from diffbench.jobs.plot import FIGURES

Spec = dict[str, Any]


def glanced(record: Path) -> dict[str, Any]:
    """Return a record's content; an empty one if the record is missing or damaged, which a stage that reads it reports.

    The digest is not checked, so that the workflow can read hundreds of records at its start.
    """
    with suppress(OSError, ValueError, RecursionError):
        held = json.loads(record.read_text())
        if isinstance(held, dict):
            return held
    return {}


def snakemake_record(home: Path, path: str) -> Path:
    """Return where Snakemake keeps its own record of a file.

    Its name is the path in base64; if that is too long for a file's name, it is cut into folders.
    """
    name = base64.urlsafe_b64encode(path.encode()).decode()
    pieces = [name[start : start + 254] for start in range(0, len(name), 254)]
    return (home / ".snakemake/metadata").joinpath(*(f"@{piece}" for piece in pieces[:-1]), pieces[-1])


def snakemake_specs(home: Path, path: str) -> list[Spec]:
    """Return the specs in Snakemake's own record of a file; an empty list if there is no record or no spec in it."""
    try:
        texts = json.loads(snakemake_record(home, path).read_text())["params"]
        specs = [json.loads(ast.literal_eval(text)) for text in texts]
        # The job of a group of figures has one text with the spec of each.
        return [one for spec in specs for one in spec.get(FIGURES, [spec])]
    except (OSError, ValueError, LookupError, TypeError, AttributeError, SyntaxError):
        return []


class Foreign:
    """The files by others that a benchmark names. Each is read once.

    home: the folder that holds the benchmark's `results`. root: the project's folder. notice: called with a message for
    each file that is missing although artifacts made from it exist.
    """

    def __init__(self, home: Path, root: Path, notice: Callable[[str], object]):
        self.home, self.root = home, root
        self._notice = notice
        self._found: dict[Path, str | None] = {}

    def digest(self, path: Path, where: str, made: str | None = None, source: str = "") -> str:
        """Return the digest of a file.

        where: its place in the configuration. made: an artifact whose record has the digest if the file itself is
        missing, under the name `source`. Raises: UserError if there is neither the file nor a record.
        """
        if path not in self._found:
            self._found[path] = _digest_of(path)
        found = self._found[path]
        if found is None and made is not None:
            found = self._remembered(path, made, lambda spec: spec["upstream"][source])
        if found is None:
            raise UserError(f"{where}: {path}: no such file")
        return found

    def source(self, dataset: Any, path: Path, made: str) -> str:
        """Return the hash of the files that a data set is read from. made: the artifact whose record has it too."""
        found = source_of(dataset)
        if found is not None and found == self._read_then(made):
            # If the first run downloaded the data, its spec says that they were absent, and that spec must stay valid.
            found = self._recorded_source(made)
        elif found is None:
            found = self._remembered(path, made, lambda spec: spec["source"])
        return found or ABSENT

    def place(self, path: Path) -> str:
        """Return a foreign path as the workflow names it: relative inside the project, so that it can be moved."""
        inside = any(path.is_relative_to(folder) for folder in (self.home, self.root))
        return os.path.relpath(path, self.home) if inside else str(path)

    def _recorded_source(self, made: str) -> str | None:
        with suppress(StopIteration, LookupError, TypeError):
            return next(self._recorded_specs(self.home / made))["source"]
        return None

    def _read_then(self, made: str) -> str | None:
        """Return the hash of the files that the stage prepare has read, which is among the facts of its record."""
        facts = glanced(provenance_path(self.home / made)).get("facts")
        return facts.get("source") if isinstance(facts, dict) else None

    def _remembered(self, path: Path, made: str, recorded: Callable[[Mapping[str, Any]], str]) -> str | None:
        """Return the digest that an artifact's record has for a missing file; None if it has none."""
        for spec in self._recorded_specs(self.home / made):
            try:
                held = recorded(spec)
            except (LookupError, TypeError):
                continue
            if isinstance(held, str) and held != ABSENT:
                self._notice(
                    f"{path} is not here; results that were made from it are kept, by the hash in their records"
                )
                return held
        return None

    def _recorded_specs(self, made: Path) -> Iterator[Any]:
        """Yield the spec in an artifact's record, then that in Snakemake's, which a clone has without the artifact."""
        if "spec" in (record := glanced(provenance_path(made))):
            yield record["spec"]
        yield from snakemake_specs(self.home, str(made.relative_to(self.home)))


def _digest_of(path: Path) -> str | None:
    content = content_of(path)
    if content is None:
        return None
    return foreign_digest(content, read_provenance(path) if provenance_path(path).is_file() else None)
