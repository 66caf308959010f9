"""The JSON Schema of a benchmark's file, made from the dataclasses of written.py and of the parts.

It accepts all that the loader accepts, and refuses an unknown key, a wrong type and a wrong word in every section. Only
the loader sees what entries ask of each other.
"""

from dataclasses import fields
from typing import Any, get_type_hints

from diffbench.base import plugins
from diffbench.base.field_texts import field_texts
from diffbench.base.json_schema import DRAFT, NULL, Schema, any_of, closed, of_class, of_type
from diffbench.base.names import BENCHMARK, NAME, REAL
from diffbench.base.numerics import Numerics
from diffbench.benchmark.entries import Bound, Execution, Run
from diffbench.benchmark.grid import AXES
from diffbench.benchmark.numerics import StageNumerics
from diffbench.benchmark.part_schema import (
    NOT_SHIPPED,
    definitions,
    names_of,
    of_named_entries,
    of_part,
    of_unnamed_part,
)
from diffbench.benchmark.runs import FEWEST_IMAGES, NOT_EMPTY
from diffbench.benchmark.written import (
    PROCESS_KEYS,
    REQUIRED,
    SAMPLED_KEYS,
    BenchmarkFile,
    CheckpointFile,
    ClassifierEntry,
    GridEntry,
    ModelEntry,
)
from diffbench.diffusion.denoiser import Diffusion
from diffbench.jobs.sample import LowRes, Sampling
from diffbench.training.settings import Training, Validation

NAMES: Schema = {"pattern": f"^{NAME.pattern}$", "not": {"const": REAL}}
"""What the names of entries are."""

CHOICES = ("network", "objective", "guidance")
"""The keys of a model that choose a part."""


def config_schema() -> Schema:
    """Return the JSON Schema of a benchmark's file."""
    sections: dict[str, Schema] = {
        "benchmark": {"type": "string", "pattern": f"^{BENCHMARK.pattern}$"},
        "dataset": of_part("datasets"),
        "models": _models(),
        "samplers": _parts_by_name("samplers"),
        "protocols": _entries(of_part("protocols", "classifier")),
        "runs": {"type": "array", "items": _ref("run"), "minItems": 1},
        "extractors": any_of({**_parts_by_name("extractors"), "minProperties": 0}, NULL),
        "grids": _entries(_ref("grid")),
        "classifiers": _entries(_ref("classifier")),
        **{name: any_of(_ref(name), NULL) for name in ("sampling", "bound", "validation", "numerics", "execution")},
    }
    texts = field_texts(BenchmarkFile)
    described = {name: {"description": texts[name], **schema} for name, schema in sections.items()}
    return {
        "$schema": DRAFT,
        "title": "A benchmark of diffbench",
        "description": "The YAML file of a benchmark. `diffbench check` also checks what entries ask of each other.",
        **closed(described, REQUIRED),
        "$defs": {
            "model": _model(shipped=True),
            "model_of_unknown_parts": _model(shipped=False),
            "classifier": _classifier(),
            "grid": _grid(),
            "run": _run(),
            "training": of_class(Training),
            "sampling": of_class(Sampling),
            "bound": of_class(Bound),
            "validation": of_class(Validation),
            "numerics": closed({stage.name: any_of(of_class(Numerics), NULL) for stage in fields(StageNumerics)}),
            "execution": of_class(Execution),
            **definitions(),
        },
    }


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _entries(entry: Schema) -> Schema:
    return {"type": "object", "propertyNames": NAMES, "additionalProperties": entry, "minProperties": 1}


def _parts_by_name(folder: str) -> Schema:
    own, dotted, other = of_named_entries(folder)
    return {**_entries(other), "properties": own, "patternProperties": dotted}


# -- models and classifiers


def _models() -> Schema:
    """Return the schema of all models.

    A map without `name` below `base` is of the part that the base names. If all parts are known, so are its keys.
    """
    own = {"type": "object", "required": ["name"], "properties": {"name": NOT_SHIPPED}}
    shipped = {"not": {"anyOf": [NOT_SHIPPED, own]}}
    known = {"properties": {**dict.fromkeys(CHOICES, shipped), "checkpoint": NULL}}
    entries = {True: _ref("model"), False: _ref("model_of_unknown_parts")}
    return {
        **{key: value for key, value in _entries({}).items() if key != "additionalProperties"},
        "if": {"additionalProperties": known},
        "then": {"additionalProperties": any_of(entries[True], NULL)},
        "else": {"additionalProperties": any_of(entries[False], NULL)},
    }


def _model(*, shipped: bool) -> Schema:
    """Return the schema of a model. shipped: whether no model has a part or a record that is not known here."""
    networks = _networks(classifies=False)
    parts = {"network": ("networks", networks, "unet"), "objective": ("objectives", None, None)}
    parts["guidance"] = ("guidance", None, None)
    whole: dict[str, Schema] = {"low_res": any_of({"const": REAL}, of_class(LowRes), NULL)}
    partial: dict[str, Schema] = {"low_res": any_of({"const": REAL}, _partial(of_class(LowRes)), NULL)}
    for key, (folder, names, default) in parts.items():
        may_be_null = [NULL] if key != "objective" else []
        whole[key] = any_of(of_part(folder, default, names), *may_be_null)
        named = names if names is not None else plugins.names(folder)
        partial[key] = any_of(of_unnamed_part(folder, named, shipped=shipped), *may_be_null)
    only_sampled = {"if": {"required": ["of"]}, "then": {"propertyNames": {"enum": ["of", *SAMPLED_KEYS]}}}
    completed = {"if": _is_completed(), "then": {"properties": partial}, "else": {"properties": whole}}
    keys = _keys(ModelEntry, parts | {"low_res": None}) | of_class(Diffusion)["properties"]
    return {**closed(keys), "allOf": [only_sampled, completed]}


def _classifier() -> Schema:
    networks = _networks(classifies=True)
    process = of_class(Diffusion)["properties"]
    keys = _keys(ClassifierEntry, {"network": None}) | {key: process[key] for key in PROCESS_KEYS}
    whole = of_part("networks", "noisy_classifier", networks)
    partial = any_of(of_unnamed_part("networks", networks, shipped=False), NULL)
    return {
        **closed(keys),
        "if": {"required": ["checkpoint"], "properties": {"checkpoint": {"not": NULL}}},
        "then": {"properties": {"network": partial}},
        "else": {"properties": {"network": whole}},
    }


def _networks(*, classifies: bool) -> list[str]:
    return [name for name in plugins.names("networks") if plugins.load("networks", name).classifies == classifies]


def _is_completed() -> Schema:
    """Return the schema of an entry that is completed from elsewhere: from its base, or from a checkpoint's record."""
    return {
        "anyOf": [
            {"required": ["base"], "properties": {"base": {"type": "string"}}},
            {"required": ["checkpoint"], "properties": {"checkpoint": {"not": NULL}}},
        ]
    }


def _keys(kind: type, elsewhere: Any) -> dict[str, Schema]:
    """Return the schemas of an entry's keys. elsewhere: the keys of which only the description is given here."""
    texts, hints = field_texts(kind), get_type_hints(kind)
    schemas: dict[str, Schema] = {
        "checkpoint": any_of({"type": "string"}, of_class(CheckpointFile), NULL),
        "training": any_of(_ref("training"), NULL),
        **dict.fromkeys(("size", "low_size"), {"type": ["integer", "null"], "minimum": 1}),
    }
    found = {key: {} if key in elsewhere else schemas.get(key) or of_type(hint) for key, hint in hints.items()}
    return {key: {**schema, "description": texts[key]} for key, schema in found.items()}


def _partial(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if key != "required"}


# -- grids and runs


def _grid() -> Schema:
    process, texts = of_class(Diffusion)["properties"], field_texts(GridEntry)
    values = {axis: _values(process[axis]) if axis in process else names_of("objectives") for axis in AXES}
    several = {
        axis: any_of(value, {"type": "array", "items": value, "minItems": 1, "uniqueItems": True})
        for axis, value in values.items()
    }
    keys: dict[str, Schema] = {"base": {"type": ["string", "null"]}, **several}
    return closed({key: {**schema, "description": texts[key]} for key, schema in keys.items()}, keys)


def _values(schema: Schema) -> Schema:
    """Return the values that a key may have, without its description and default."""
    return {key: value for key, value in schema.items() if key in ("enum", "anyOf")}


def _run() -> Schema:
    schema = of_class(Run)
    for key in NOT_EMPTY:
        schema["properties"][key] |= {"minItems": 1}
        if schema["properties"][key].get("default") == []:
            del schema["properties"][key]["default"]
            schema["required"].append(key)
    schema["properties"]["num_images"] |= {"minimum": FEWEST_IMAGES}
    return schema
