"""JSON Schema (draft 2020-12) of annotations and of dataclasses, as the loader of plugins.py takes their values.

What `coerced` accepts the schema accepts, and it refuses a wrong key, type or word. It does not see what one field
asks of another.
"""

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from typing import Any

from diffbench.base.bounds import bounds_of
from diffbench.base.errors import UserError
from diffbench.base.field_texts import field_texts, summary
from diffbench.base.plugins import DottedPath, default_of

Schema = dict[str, Any]

DRAFT = "https://json-schema.org/draft/2020-12/schema"
NULL: Schema = {"type": "null"}
SIMPLE: Mapping[Any, str] = {int: "integer", float: "number", bool: "boolean", str: "string"}


def of_type(hint: Any) -> Schema:
    """Return the schema of the values that `coerced` takes for an annotation. Raises: UserError for an unknown one."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return {}
    if hint in SIMPLE:
        return {"type": SIMPLE[hint]}
    if hint == DottedPath:
        return {"type": "string", "pattern": r"\."}
    if hint is type(None):
        return dict(NULL)
    if origin in (typing.Union, types.UnionType):
        return any_of(*map(of_type, arguments))
    if origin is typing.Literal:
        return {"enum": list(arguments)}
    if origin is tuple:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return {"type": "array", "items": of_type(arguments[0])}
        size = len(arguments)
        return {"type": "array", "prefixItems": [*map(of_type, arguments)], "minItems": size, "maxItems": size}
    if origin is dict:
        return {"type": "object", "additionalProperties": of_type(arguments[1])}
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return of_class(hint)
    raise UserError(f"{hint}: no schema is known for this annotation")


def of_class(kind: type) -> Schema:
    """Return the schema of the map that `configure` makes a dataclass from: its fields as keys, and no others."""
    hints, texts, bounds = typing.get_type_hints(kind), field_texts(kind), bounds_of(kind)
    fields = [field for field in dataclasses.fields(kind) if field.init]
    keys: dict[str, Schema] = {
        field.name: {**of_type(hints[field.name]), **bounds.get(field.name, {})} for field in fields
    }
    for field in fields:
        keys[field.name] |= {"description": texts[field.name]} if field.name in texts else {}
        if not is_required(field):
            keys[field.name] |= {"default": plain_default(field)}
    needed = [field.name for field in fields if is_required(field)]
    return closed(keys, needed) | {"description": summary(kind)}


def closed(keys: Mapping[str, Schema], required: typing.Iterable[str] = ()) -> Schema:
    """Return the schema of a map with these keys and no others."""
    needed = list(required)
    needs = {"required": needed} if needed else {}
    return {"type": "object", "properties": dict(keys), **needs, "additionalProperties": False}


def any_of(*choices: Schema) -> Schema:
    """Return the schema of what one of several schemas takes; plain types and null are merged into one line."""
    if len(choices) == 1:
        return dict(choices[0])
    if all(set(choice) == {"type"} for choice in choices):
        return {"type": [choice["type"] for choice in choices]}
    if all(choice == NULL or set(choice) == {"enum"} for choice in choices):
        return {"enum": [word for choice in choices for word in choice.get("enum", [None])]}
    return {"anyOf": list(choices)}


def is_required(field: "dataclasses.Field[Any]") -> bool:
    """Return whether a field has no default."""
    return default_of(field) is dataclasses.MISSING


def plain_default(field: "dataclasses.Field[Any]") -> Any:
    """Return a field's default as plain data."""
    value: Any = default_of(field)
    held: Any = dataclasses.asdict(value) if dataclasses.is_dataclass(value) and not isinstance(value, type) else value
    return json.loads(json.dumps(held))
