"""Files that no job makes: pictures, weights and references of others, and what a tree of results remembers of them.

Such a file is part of a spec by its content. A clone that has what was made from it need not have the file itself: the
record of what was made says which content that was.
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

Spec = dict[str, Any]


def glanced(record: Path) -> dict[str, Any]:
    """Return what a record says, nothing where it is missing or no map: the stage that reads it will say what is wrong.

    Its digest is not looked at, so that a start of the workflow reads hundreds of them in no time.
    """
    with suppress(OSError, ValueError, RecursionError):
        held = json.loads(record.read_text())
        if isinstance(held, dict):
            return held
    return {}


def snakemake_record(home: Path, path: str) -> Path:
    """Return where Snakemake keeps its own record of a file.

    Its name is the path in base64, cut into folders where it is longer than a name may be.
    """
    name = base64.urlsafe_b64encode(path.encode()).decode()
    pieces = [name[start : start + 254] for start in range(0, len(name), 254)]
    return (home / ".snakemake/metadata").joinpath(*(f"@{piece}" for piece in pieces[:-1]), pieces[-1])


def snakemake_specs(home: Path, path: str) -> list[Spec]:
    """Return the specs that Snakemake's own record of a file holds: one, or none where it has no record of it."""
    try:
        texts = json.loads(snakemake_record(home, path).read_text())["params"]
        return [json.loads(ast.literal_eval(text)) for text in texts]
    except (OSError, ValueError, LookupError, TypeError, SyntaxError):
        return []


class Foreign:
    """The files of others that a benchmark names, each read once.

    home: the folder that holds the benchmark's `results`. root: the project's. notice: told, once each, of files that
    are not here while what was made from them is.
    """

    def __init__(self, home: Path, root: Path, notice: Callable[[str], object]):
        self.home, self.root = home, root
        self._notice = notice
        self._found: dict[Path, str | None] = {}

    def digest(self, path: Path, where: str, made: str | None = None, source: str = "") -> str:
        """Return the digest of a file. made, source: an artifact whose record remembers its content, and as what.

        where: its place in the configuration. Raises: UserError where it is neither here nor remembered.
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
        """Return the hash of the files that a data set is read from. made: the artifact that remembers it."""
        found = source_of(dataset)
        if found is not None and found == self._read_then(made):
            # At the first start a download was not here yet: what it brought is what the spec of then is of.
            found = self._recorded_source(made)
        elif found is None:
            found = self._remembered(path, made, lambda spec: spec["source"])
        return found or ABSENT

    def place(self, path: Path) -> str:
        """Return a foreign path as the workflow names it: relative inside the project, which may be moved."""
        inside = any(path.is_relative_to(folder) for folder in (self.home, self.root))
        return os.path.relpath(path, self.home) if inside else str(path)

    def _recorded_source(self, made: str) -> str | None:
        with suppress(StopIteration, LookupError, TypeError):
            return next(self._recorded_specs(self.home / made))["source"]
        return None

    def _read_then(self, made: str) -> str | None:
        """Return the hash of what a preparation found when it had read it, as its record holds it."""
        facts = glanced(provenance_path(self.home / made)).get("facts")
        return facts.get("source") if isinstance(facts, dict) else None

    def _remembered(self, path: Path, made: str, recorded: Callable[[Mapping[str, Any]], str]) -> str | None:
        """Return what the record of an artifact remembers of a foreign path that is not here, None if nothing."""
        for spec in self._recorded_specs(self.home / made):
            try:
                held = recorded(spec)
            except (LookupError, TypeError):
                continue
            if isinstance(held, str) and held != ABSENT:
                self._notice(f"{path} is not here; what was made from it stands, by the hash that was recorded then")
                return held
        return None

    def _recorded_specs(self, made: Path) -> Iterator[Any]:
        """Yield the spec in an artifact's record and, for a clone without the artifact, the one in Snakemake's own."""
        if "spec" in (record := glanced(provenance_path(made))):
            yield record["spec"]
        yield from snakemake_specs(self.home, str(made.relative_to(self.home)))


def _digest_of(path: Path) -> str | None:
    content = content_of(path)
    if content is None:
        return None
    return foreign_digest(content, read_provenance(path) if provenance_path(path).is_file() else None)
