"""New records, with the present spec, for artifacts that are adopted."""

import hashlib
from collections.abc import Mapping
from typing import Any

from diffbench.base.provenance_file import provenance_path, recorded_text, write_recorded
from diffbench.commands.adopt.tree import Tree


def stamp(tree: Tree) -> None:
    """Write the new record of every outdated artifact. Each is written whole or not at all.

    Downstream artifacts come first. If this is interrupted, the sources of those that are left still have their old
    recorded specs, which the next adoption needs to recognise them.
    """
    for path, record in reversed(stamped(tree).items()):
        write_recorded(provenance_path(tree.home / path), record)


def stamped(tree: Tree) -> dict[str, dict[str, Any]]:
    """Return the new records by the artifacts' paths, upstream first, with new hashes of records that are inputs."""
    found: dict[str, dict[str, Any]] = {}
    hashes: dict[str, str] = {}
    for item in tree.outdated:
        record = dict(tree.records[item.path])
        found[item.path] = record | {"spec": dict(item.present), "inputs": _inputs(record, hashes)}
        hashes[f"{item.path}.json"] = hashlib.sha256(recorded_text(found[item.path]).encode()).hexdigest()
    return found


def _inputs(record: Mapping[str, Any], hashes: Mapping[str, str]) -> dict[str, str]:
    places = record["places"]
    return {name: hashes.get(places.get(name, ""), held) for name, held in record["inputs"].items()}
