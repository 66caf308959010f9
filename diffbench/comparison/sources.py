"""Records of scores from a folder of results, from files of scores or from a table, with what vouches for them.

A record of a folder knows the tables of its tree and the scores that each was made from, so that scores of an older
configuration are not taken for those beside them.
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
"""The tables of a tree, each as the hashes of the scores that it was made from."""


class Sourced(dict[str, Any]):
    """A record that knows its file, that file's hash and, where it lies in a tree with tables of scores, these."""

    source: Path | None = None
    sha256: str = ""
    tables: Tables = ()


def records_of(results: Path) -> Sequence[dict[str, Any]]:
    """Return the records below a folder of results, of a file of scores, or of a table.

    Of a folder, `scores` where it has one; hidden folders, such as caches, and JSON of other kinds are left alone.
    Raises: UserError where there are none, or a record is not one.
    """
    if results.suffix.lower() == ".csv":
        return records_of_table(results)
    paths = _files_of_scores(results) if results.is_dir() else [results]
    # A file that a person names is taken as it is; below a folder, the tables of its tree vouch for it or do not.
    known = _tables_of(paths) if results.is_dir() else {}
    found: list[Sourced] = []
    for path in paths:
        for item in read_records([path]):
            sourced = Sourced(item)
            sourced.source, sourced.tables = path, known.get(path, ())
            found.append(sourced)
    # Scores that somebody sent come without a record.
    inputs = checked({str(path): path for path in paths}, foreign=[str(path) for path in paths if path not in known])
    for item in found:
        item.sha256 = inputs.sha256[str(item.source)]
    return found


def _tables_of(paths: Sequence[Path]) -> dict[Path, Tables]:
    """Return, of files that lie in a tree with tables of scores, what its tables were made from.

    Files of other places are left out: scores alone, as a clone may have pulled them, or of no tree.
    Raises: UserError where the record of a table is damaged.
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
    """Return the folder of results that a file of scores lies in: beside the table's, or apart, of a comparison."""
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
    """Return whether a file in a folder of many things is one of scores, or damaged so that nobody can tell."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        return True
    return isinstance(content, dict) and "records" in content


def require_vouched(records: Sequence[Sourced]) -> None:
    """Raise UserError where no table of a tree was made from all the scores that are compared.

    A run that was killed, or an entry that was taken out of the YAML, leaves scores of an older configuration beside
    new ones, each whole by itself.
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
