"""The base class of facts, which a stage records beside its artifact for later stages."""

import dataclasses
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from diffbench.base.errors import UserError
from diffbench.base.plugins import coerced
from diffbench.base.provenance_file import Recorded
from diffbench.jobs.job import Options, plain

MERGED: Mapping[str, bool] = {"merged": True}
"""Metadata of a field with facts whose keys in JSON are beside the other fields'; None if the record has none."""

POSITIVE = ("shape", "full_size", "levels", "num_images", "low_size", "num_classes")
"""Names of facts that are sizes or counts, of which none can be 0."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Facts of one kind of artifact. Subclasses add them as fields; other keys of a record are not read."""

    @classmethod
    def recorded(cls, record: Recorded) -> Self:
        """Return the facts of an artifact from the record beside it. Raises: UserError as `read`."""
        return cls.read(record["facts"], record.source)

    @classmethod
    def read(cls, content: Mapping[str, Any], source: Path | str) -> Self:
        """Return the facts in the content of a record; source: the record's file, for messages.

        Raises: UserError if a fact is missing, has another type, or is not positive although it has to be.
        """
        hints, values = typing.get_type_hints(cls), {}
        for item in dataclasses.fields(cls):
            if item.metadata.get("merged"):
                values[item.name] = _merged(_kinds(hints[item.name])[0], content, source)
            elif item.name in content:
                values[item.name] = _fact(content[item.name], hints[item.name], item.name, source)
            elif _is_required(item):
                raise UserError(
                    f"{source}: records no '{item.name}'; its artifact was made by another stage than the one needed"
                )
        return cls(**values)

    def as_json(self) -> Options:
        """Return the facts as plain data, in the form that a record holds."""
        found: Options = {}
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            if value is None and (item.metadata.get("omitted") or item.metadata.get("merged")):
                continue
            held = value.as_json() if isinstance(value, Facts) else plain(value)
            found |= held if item.metadata.get("merged") else {item.name: held}
        return found


def _is_required(item: dataclasses.Field[Any]) -> bool:
    return item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING


def _kinds(hint: Any) -> list[type[Facts]]:
    """Return those types of an annotation that are classes of facts."""
    return [kind for kind in typing.get_args(hint) or (hint,) if isinstance(kind, type) and issubclass(kind, Facts)]


def _merged(kind: type[Facts], content: Mapping[str, Any], source: Path | str) -> Facts | None:
    there = any(item.name in content for item in dataclasses.fields(kind))
    return kind.read(content, source) if there else None


def _fact(value: Any, hint: Any, name: str, source: Path | str) -> Any:
    """Return a value of a record with its field's type; among several kinds of facts, the one whose keys it has."""
    kinds = _kinds(hint)
    if not kinds or not isinstance(value, Mapping):
        found = coerced(value, hint, f"{source}: facts.{name}")
        if name in POSITIVE and found is not None and min(found if isinstance(found, tuple) else (found,)) < 1:
            raise UserError(f"{source}: facts.{name}: {value!r} is not positive")
        return found
    wanted = {kind: {item.name for item in dataclasses.fields(kind) if _is_required(item)} for kind in kinds}
    fitting = [kind for kind in kinds if not wanted[kind] or wanted[kind] & value.keys()]
    return (fitting or kinds)[0].read(value, source)
