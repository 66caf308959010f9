"""What stages find out and record as `facts` beside their artifacts, for the stages that read these."""

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
"""Metadata of a field that holds facts whose JSON stands among the others'; None where the record has none of them."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Facts of one kind of artifact. Subclasses add them as fields; what none of these holds is not read."""

    @classmethod
    def recorded(cls, record: Recorded) -> Self:
        """Return the facts of an artifact, by the record beside it. Raises: UserError as `read`."""
        return cls.read(record["facts"], record.source)

    @classmethod
    def read(cls, content: Mapping[str, Any], source: Path | str) -> Self:
        """Return the facts of a record. source: the record's file. Raises: UserError where one lacks or is odd."""
        hints, values = typing.get_type_hints(cls), {}
        for item in dataclasses.fields(cls):
            if item.metadata.get("merged"):
                values[item.name] = _merged(_kinds(hints[item.name])[0], content, source)
            elif item.name in content:
                values[item.name] = _fact(content[item.name], hints[item.name], item.name, source)
            elif _is_required(item):
                raise UserError(
                    f"{source}: records no '{item.name}'; the artifact beside it is of another stage than is needed"
                )
        return cls(**values)

    def as_json(self) -> Options:
        """Return the facts as a record holds them."""
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
    """Return the classes of facts among what an annotation allows."""
    return [kind for kind in typing.get_args(hint) or (hint,) if isinstance(kind, type) and issubclass(kind, Facts)]


def _merged(kind: type[Facts], content: Mapping[str, Any], source: Path | str) -> Facts | None:
    there = any(item.name in content for item in dataclasses.fields(kind))
    return kind.read(content, source) if there else None


def _fact(value: Any, hint: Any, name: str, source: Path | str) -> Any:
    """Return a value of a record as the type that a field has; of several kinds of facts, that which it is of."""
    kinds = _kinds(hint)
    if not kinds or not isinstance(value, Mapping):
        return coerced(value, hint, f"{source}: facts.{name}")
    wanted = {kind: {item.name for item in dataclasses.fields(kind) if _is_required(item)} for kind in kinds}
    fitting = [kind for kind in kinds if not wanted[kind] or wanted[kind] & value.keys()]
    return (fitting or kinds)[0].read(value, source)
