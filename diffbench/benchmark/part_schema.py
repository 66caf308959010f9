"""JSON Schema of the choice of a part: its name, or a map of its name and options."""

from collections.abc import Sequence
from typing import Any

from diffbench.base import plugins
from diffbench.base.json_schema import NULL, Schema, any_of, of_class
from diffbench.benchmark.scheduler_file import FAMILY
from diffbench.benchmark.written import GuidanceKeys, SamplerKeys
from diffbench.protocols._contract import ARRAYS

OWN = r"^[^:]+\.[^:]+$"
"""The dotted path of a class of your own."""

NOT_SHIPPED: Schema = {"type": "string", "pattern": "[.:]"}
"""The name of a part whose options no schema knows: a class of your own, or a member of a family."""

FOLDERS = ("datasets", "networks", "objectives", "guidance", "samplers", "extractors", "protocols", "metrics")
"""The folders whose parts a benchmark's file chooses."""

BESIDE: dict[str, type] = {"samplers": SamplerKeys, "guidance": GuidanceKeys}
"""Keys that an entry has beside those of its part."""


def definitions() -> dict[str, Schema]:
    """Return the schema of every part's map, by its folder and name."""
    return {f"{folder}.{name}": _options(folder, name) for folder in FOLDERS for name in plugins.names(folder)}


def _options(folder: str, name: str) -> Schema:
    part = plugins.load(folder, name)
    schema = of_class(part)
    if folder == "metrics":  # A metric is chosen by its name alone, and its settings are a map.
        return schema
    beside = of_class(BESIDE[folder])["properties"] if folder in BESIDE else {}
    schema["properties"] = {"name": {"const": name}, **schema["properties"], **beside}
    if folder == "protocols":
        _say_metrics(schema["properties"])
    return schema


def _say_metrics(keys: dict[str, Schema]) -> None:
    """Add to the schema of a protocol what its texts are: names of metrics, their settings, and the reference."""
    settings = {name: reference("metrics", name) for name in plugins.names("metrics")}
    keys["metrics"] |= {"items": names_of("metrics"), "minItems": 1}
    keys["settings"] |= {"properties": settings, "additionalProperties": {"type": "object"}}
    endings = "|".join("".join(f"[{c}{c.upper()}]" for c in ending[1:]) for ending in ARRAYS)
    keys["reference"] = {**keys["reference"], "anyOf": [{"enum": ["train", "test"]}, {"pattern": rf"\.({endings})$"}]}


def reference(folder: str, name: str) -> Schema:
    """Return a reference to the schema of a part's map."""
    return {"$ref": f"#/$defs/{folder}.{name}"}


def names_of(folder: str, names: Sequence[str] | None = None) -> Schema:
    """Return the schema of the name of a part: a file of its folder, a member of a family, or a class of your own.

    names: those of the folder that fit; None if all do.
    """
    families = [{"pattern": f"^{family}:."} for family in plugins.families(folder)]
    return {"type": "string", "anyOf": [{"enum": _names(folder, names)}, *families, {"pattern": OWN}]}


def of_part(folder: str, default: str | None = None, names: Sequence[str] | None = None) -> Schema:
    """Return the schema of a part's choice: its name, or a map of its name and options.

    default: the part that a map without a name, or null, chooses; None if a name is needed.
    """
    unnamed = {"required": ["name"]} if default is None else reference(folder, default)
    chosen = _map(folder, unnamed, names)
    return any_of(names_of(folder, names), chosen, *([] if default is None else [NULL]))


def of_unnamed_part(folder: str, names: Sequence[str], *, shipped: bool) -> Schema:
    """Return the schema of a part's choice whose name may be elsewhere: in the entry's base, or in a record.

    shipped: whether the part is surely one of `names`, so that its options are known.
    """
    options: Schema = any_of(*(reference(folder, name) for name in names)) if shipped else {}
    return any_of(names_of(folder, names), _map(folder, options, names))


def of_named_entries(folder: str) -> tuple[dict[str, Schema], dict[str, Schema], Schema]:
    """Return the schemas of entries without a `name`, whose own name chooses the part.

    They are those of the parts of a folder, by name; of classes of your own, by a pattern; and of any other entry.
    """
    own = {name: _entry(folder, reference(folder, name), may_be_null=True) for name in plugins.names(folder)}
    dotted = {OWN: _entry(folder, {}, may_be_null=True)}
    return own, dotted, _entry(folder, {"required": ["name"]})


def _entry(folder: str, unnamed: Schema, may_be_null: bool = False) -> Schema:
    choice = _map(folder, unnamed)
    if folder == "samplers":
        keys = of_class(SamplerKeys)["properties"]
        of_file = {"properties": {"name": {"type": "string", "pattern": f"^{FAMILY}:"}, **keys}}
        known = {key: value for key, value in choice.items() if key != "type"}
        choice = {"type": "object", "if": {"required": ["config"]}, "then": of_file, "else": known}
    text = [] if folder == "samplers" else [names_of(folder)]
    return any_of(*text, choice, *([NULL] if may_be_null else []))


def _map(folder: str, unnamed: Schema, names: Sequence[str] | None = None) -> Schema:
    """Return the schema of a map in which `name` decides what else it has. unnamed: what it has without a name."""
    of_own = {"if": {"properties": {"name": NOT_SHIPPED}}, "then": {"properties": _beside(folder)}}
    by_name = [
        {"if": {"properties": {"name": {"const": name}}}, "then": reference(folder, name)}
        for name in _names(folder, names)
    ]
    named = {"properties": {"name": names_of(folder, names)}, "allOf": [of_own, *by_name]}
    return {"type": "object", "if": {"required": ["name"]}, "then": named, "else": unnamed}


def _beside(folder: str) -> dict[str, Any]:
    return of_class(BESIDE[folder])["properties"] if folder in BESIDE else {}


def _names(folder: str, names: Sequence[str] | None) -> list[str]:
    return plugins.names(folder) if names is None else list(names)
