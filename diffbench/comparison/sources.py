"""Records of scores from a folder of results, from files of scores or from a table, with a check of their origin.

A record from a folder knows the tables of its tree and the scores from which each was made, so that scores of an older
configuration are not compared with newer ones.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from diffbench.base.errors import UserError
from diffbench.base.inputs import checked
from diffbench.base.provenance_file import read_recorded
from diffbench.base.records import read_records
from diffbench.comparison.table_file import records_of_table

Tables = tuple[frozenset[str], ...]
"""The tables of a tree, each as the set of hashes of the scores from which it was made."""


class Sourced(dict[str, Any]):
    """A record with its file, the hash of that file, and the tables of scores of its tree, if there are any."""

    source: Path | None = None
    sha256: str = ""
    tables: Tables = ()


def records_of(results: Path) -> Sequence[dict[str, Any]]:
    """Return the records below a folder of results, in a file of scores, or in a table.

    If a folder contains a folder `scores`, only that one is read. Hidden folders, such as caches, and other kinds of
    JSON are ignored. Raises: UserError if there are no records, or one is damaged.
    """
    if results.suffix.lower() == ".csv":
        return records_of_table(results)
    paths = _files_of_scores(results) if results.is_dir() else [results]
    # A file that the user names is taken as it is. A file below a folder is checked against the tables of its tree.
    known = _tables_of(paths) if results.is_dir() else {}
    found: list[Sourced] = []
    for path in paths:
        for item in read_records([path]):
            sourced = Sourced(item)
            sourced.source, sourced.tables = path, known.get(path, ())
            found.append(sourced)
    # Scores from elsewhere may have no record beside them.
    inputs = checked({str(path): path for path in paths}, foreign=[str(path) for path in paths if path not in known])
    for item in found:
        item.sha256 = inputs.sha256[str(item.source)]
    return found


def _tables_of(paths: Sequence[Path]) -> dict[Path, Tables]:
    """Return the tables of the tree for each file that is in a tree with tables of scores.

    Other files are left out: those in no tree, and those in a tree that has scores but no tables, as in some clones.
    Raises: UserError if the record of a table is damaged.
    """
    trees: dict[Path, Tables] = {}
    found = {}
    for path in paths:
        tree = _tree_of(path)
        if tree is not None and tree not in trees:
            trees[tree] = _tables(tree)
        if tree is not None and trees[tree]:
            found[path] = trees[tree]
    return found


def _tree_of(path: Path) -> Path | None:
    """Return the folder of results that a file of scores lies in; None if it is in none.

    Scores are in `scores` of that folder, or those of a comparison in `compared/<name>/scores`.
    """
    for folder in path.absolute().parents:
        if folder.name == "scores":
            apart = folder.parent.parent.name == "compared"
            return folder.parents[2] if apart else folder.parent
    return None


def _tables(tree: Path) -> Tables:
    sources = [*tree.glob("*.csv.json"), *tree.glob("compared/*/table.csv.json")]
    recorded = [read_recorded(source) for source in sorted(sources)]
    of_scores = [made for made in recorded if (made["facts"].get("given") or {}).get("scores")]
    return tuple(frozenset(made["inputs"].values()) for made in of_scores)


def _files_of_scores(results: Path) -> list[Path]:
    folder = results / "scores" if (results / "scores").is_dir() else results
    found = []
    for path in sorted(folder.rglob("*.json")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not hidden and not path.name.endswith(".json.json") and (folder != results or _may_hold_scores(path)):
            found.append(path)
    if not found:
        raise UserError(f"{results}: no scores below it; run the benchmark first, or name its folder of results")
    return found


def _may_hold_scores(path: Path) -> bool:
    """Return whether a file is one of scores, or cannot be read and may be one."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        return True
    return isinstance(content, dict) and "records" in content


def require_vouched(records: Sequence[Sourced]) -> None:
    """Raise UserError if no table of a tree was made from all the scores that are compared.

    A killed run, or an entry that was removed from the YAML, leaves scores of an older configuration beside new ones.
    Each file is intact, but they must not be compared.
    """
    for tables in {item.tables for item in records}:
        within = [item for item in records if item.tables == tables]
        most = max(tables, key=lambda table: sum(item.sha256 in table for item in within), default=None)
        for item in within:
            if most is not None and item.sha256 not in most:
                raise UserError(
                    f"{item.source}: no table of its tree was made from this file and the others that are compared, so "
                    "they may be of two configurations; run the benchmark to its end (the same snakemake command, with "
                    "this row among the YAML's runs), or compare samplers by diffbench compare-samplers"
                )
