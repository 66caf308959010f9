"""The smallest and largest numbers that a dataclass accepts for its fields, found by trying them.

The rules are in each `__post_init__`, and nowhere else. A dataclass is made with one odd value beside its defaults. A
bound counts only if it is a usual one (0, 1 or the least whole number above), so that what two fields ask of each other
is not taken for a bound of one.
"""

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping
from typing import Any

from diffbench.base.plugins import default_of

TINY, MORE = 1e-12, 1e-6
"""A positive number that any rule about signs accepts, and the distance from 1 of numbers that are just no share."""

STAND_INS: Mapping[Any, Any] = {str: "x", int: 2, float: 0.5}
"""Values for fields without a default."""


@functools.cache
def bounds_of(kind: type) -> Mapping[str, Mapping[str, float]]:
    """Return the bounds of a dataclass's numbers, in the words of JSON Schema, by the field's name."""
    hints = typing.get_type_hints(kind)
    fields = [field for field in dataclasses.fields(kind) if field.init]
    required = [field for field in fields if default_of(field) is dataclasses.MISSING]
    given = {field.name: STAND_INS.get(hints[field.name], ()) for field in required}
    if not _makes(kind, given):
        return {}
    found: dict[str, Mapping[str, float]] = {}
    for field in fields:
        number = _number(hints[field.name])
        if number is not None:
            found[field.name] = _bounds(kind, given, field.name, number)
    return {name: bounds for name, bounds in found.items() if bounds}


def _bounds(kind: type, given: Mapping[str, Any], name: str, number: type) -> dict[str, float]:
    def takes(value: float) -> bool:
        return _makes(kind, {**given, name: number(value)})

    if takes(-1):
        return {}
    if number is int:
        least = next((value for value in (0, 1, 2) if takes(value)), None)
        # A least number that nothing near it explains may be another field's doing.
        return {"minimum": least if least is not None else 0}
    found: dict[str, float] = {"minimum": 0} if takes(0) or not takes(TINY) else {"exclusiveMinimum": 0}
    if not takes(1 + MORE) and takes(1 - MORE):
        found |= {"maximum": 1} if takes(1) else {"exclusiveMaximum": 1}
    return found


def _number(hint: Any) -> type | None:
    """Return int or float if an annotation is of one, perhaps beside None."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        kinds = [item for item in typing.get_args(hint) if item is not type(None)]
        return _number(kinds[0]) if len(kinds) == 1 else None
    return hint if hint in (int, float) else None


def _makes(kind: type, values: Mapping[str, Any]) -> bool:
    try:
        kind(**values)
    except Exception:  # Whatever a rule raises, the value is refused.
        return False
    return True
