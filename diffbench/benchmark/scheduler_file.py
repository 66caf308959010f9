"""A reader of scheduler configurations by diffusers, for the entries of samplers."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diffbench.base.errors import UserError
from diffbench.base.plugins import load
from diffbench.benchmark.checkpoints import found_file
from diffbench.benchmark.json_file import read_json_map

FAMILY = "diffusers"


def with_file(entry: Mapping[str, Any], where: str) -> tuple[dict[str, Any], str]:
    """Return a sampler's entry with the options of the file `config`, and which options of the file are not used.

    Options beside `config` replace the file's. An entry without `config` is returned as it is. Raises: UserError.
    """
    if "config" not in entry:
        return dict(entry), ""
    given = entry["config"]
    file = found_file(Path(given)) if isinstance(given, str) and given else None
    if file is None:
        raise UserError(f"{where}.config: {given!r}: no such file; give a scheduler_config.json of diffusers")
    content = read_json_map(file)
    if not isinstance(content.get("_class_name"), str):
        raise UserError(f"{where}.config: {given} has no _class_name; give a scheduler_config.json of diffusers")
    name = f"{FAMILY}:{content['_class_name']}"
    if entry.get("name", name) != name:
        raise UserError(f"{where}.name: {entry['name']}, and {given} is of {name}; leave 'name' out")
    part = load("samplers", name, f"{where}.config")
    fields, refused = {field.name for field in dataclasses.fields(part)}, part.no_options
    held = {key: value for key, value in content.items() if value is not None and not key.startswith("_")}
    taken = {key: value for key, value in held.items() if key in fields and key not in refused}
    own = {key: value for key, value in entry.items() if key != "config"}
    return {"name": name, **taken, **own}, _left_out(held, taken, refused)


def _left_out(held: Mapping[str, Any], taken: Mapping[str, Any], refused: Mapping[str, str]) -> str:
    """Return which options of a file are not used, with the reasons."""
    reasons: dict[str, list[str]] = {}
    for key in held:
        if key not in taken:
            reasons.setdefault(refused.get(key, "no option of this sampler"), []).append(key)
    return "; ".join(f"{', '.join(keys)} ({reason})" for reason, keys in reasons.items())
