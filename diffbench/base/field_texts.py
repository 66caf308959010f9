"""What docstrings say of the fields of a dataclass: the only source of every description of a key.

A field is described in one of two ways. Either its class says "name: text." (or "name, other: text.") after its first
sentence, in which case the text ends at the next such name or at a blank line; or a docstring stands below the field.
A field that a class inherits is described by the class that has its text.
"""

import ast
import dataclasses
import functools
import inspect
import re
import textwrap
from collections.abc import Mapping


@functools.cache
def field_texts(kind: type) -> Mapping[str, str]:
    """Return what docstrings say of each field of a dataclass, by the field's name; a field without a text is left out.

    Each text ends with a full stop.
    """
    names = [field.name for field in dataclasses.fields(kind)]
    found: dict[str, str] = {}
    for owner in kind.__mro__:
        if not dataclasses.is_dataclass(owner):
            continue
        own = _below_fields(owner) | _in_docstring(_docstring(owner), names)
        found = {name: _sentence(text) for name, text in own.items() if name in names} | found
    return {name: found[name] for name in names if name in found}


def summary(kind: type) -> str:
    """Return the first sentence of a class's docstring in one line, without what it says of fields."""
    first = " ".join(_docstring(kind).split("\n\n")[0].split())
    names = [field.name for field in dataclasses.fields(kind)] if dataclasses.is_dataclass(kind) else []
    marker = _marker(names).search(first)
    return (first[: marker.start()] if marker else first).strip()


def _docstring(kind: type) -> str:
    text: str | None = kind.__doc__
    return text or ""


def _marker(names: list[str]) -> re.Pattern[str]:
    """Return the pattern of "name: " or "name, other: " at the start of a text or of a sentence."""
    any_name = "|".join(map(re.escape, sorted(names, key=len, reverse=True))) or r"(?!)"
    return re.compile(rf"(?:^|(?<=[.;:!?] )|(?<=[.;]\) ))((?:{any_name})(?:, (?:{any_name}))*): ")


def _in_docstring(text: str, names: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        line = " ".join(paragraph.split())
        markers = list(_marker(names).finditer(line))
        ends = [*(marker.start() for marker in markers[1:]), len(line)]
        for marker, end in zip(markers, ends, strict=False):
            found |= dict.fromkeys(marker[1].split(", "), line[marker.end() : end].strip())
    return found


def _below_fields(kind: type) -> dict[str, str]:
    """Return the docstrings that stand below fields in the source of a class; none if there is no source."""
    try:
        source = textwrap.dedent(inspect.getsource(kind))
        body = next(node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)).body
    except (OSError, TypeError, SyntaxError, StopIteration):
        return {}
    found: dict[str, str] = {}
    for field, below in zip(body, body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(below, ast.Expr):
            text = below.value.value if isinstance(below.value, ast.Constant) else None
            if isinstance(text, str):
                found[field.target.id] = " ".join(text.split())
    return found


def _sentence(text: str) -> str:
    """Return a text with a full stop at its end."""
    text = text.rstrip(" ;,")
    return text if text.endswith((".", "!", "?", ".)")) else f"{text}."
