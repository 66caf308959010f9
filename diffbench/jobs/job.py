"""The base classes of jobs and of the parts that they choose by name, and their conversion to JSON and back."""

import dataclasses
import json
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from diffbench.base.digests import OMITTED
from diffbench.base.errors import UserError
from diffbench.base.plugins import coerced, configure, default_of, load, module_of, nearest

Options = dict[str, Any]
"""Settings as plain data, from which the stage makes an instance of their class."""


def plain(value: Any) -> Any:
    """Return a value as it is after a passage through JSON, in which tuples become lists."""
    return json.loads(json.dumps(value))


@dataclass(frozen=True)
class Part:
    """The choice of a part: its name, and its options as plain data. In JSON both are in one map."""

    folder: ClassVar[str]
    """The folder of the package with the parts of this kind."""

    name: str
    options: Options = field(default_factory=dict)

    @classmethod
    def of(cls, part: Any, name: str) -> Self:
        """Return the description of a part: its name and all of its fields, including defaults."""
        return cls(name, plain(dataclasses.asdict(part)))

    @classmethod
    def read(cls, content: Any, where: str) -> Self:
        """Return a part from its name, or from a map with `name` and its options. Raises: UserError."""
        content = {"name": content} if isinstance(content, str) else content
        if not isinstance(content, Mapping):
            raise UserError(f"{where}: {content!r} is neither a name nor a map")
        if not isinstance(content.get("name"), str):
            raise UserError(f"{where}: 'name' is missing; take it from an artifact's .json")
        return cls(content["name"], {key: value for key, value in content.items() if key != "name"})

    def plain(self) -> Options:
        """Return the choice as one map, as in JSON."""
        return {"name": self.name, **self.options}

    def configured(self) -> Any:
        """Return the part itself. Raises: UserError for a name or an option that does not exist."""
        return configure(load(self.folder, self.name, self.folder), self.options, self.folder)

    @property
    def module(self) -> str:
        """The dotted name of the part's module, whose code belongs to the job."""
        return module_of(self.folder, self.name)


@dataclass(frozen=True, kw_only=True)
class Job:
    """The base class of jobs. Subclasses add the settings of a stage.

    code: the hash of the code that runs the job. upstream: for the name of each input, the digest of what it is made
    from (base/inputs.py).
    """

    stages: ClassVar[tuple[str, ...]]
    """The stages that run such a job, in order."""

    code: str | None = field(default=None, metadata=OMITTED)
    upstream: dict[str, str | tuple[str, ...]] = field(default_factory=dict, metadata=OMITTED)

    def as_json(self) -> Options:
        """Return the job as plain data, which the workflow passes on and an artifact's record holds as its `spec`."""
        return plain(_plain_fields(self))

    @classmethod
    def read(cls, content: Any, where: str = "--spec") -> Self:
        """Return the job from plain data. Raises: UserError for a missing or unknown key or a value of a wrong type."""
        return _read(cls, content, where)

    def modules(self) -> tuple[str, ...]:
        """Return the modules whose code belongs to the job: of its stages, its parts and its own schedules."""
        chosen = dict.fromkeys(part.module for part in _parts(self))
        return (*(f"diffbench.stages.{stage}" for stage in self.stages), *chosen, *dict.fromkeys(_own_schedules(self)))


def _plain_fields(value: Any) -> Options:
    found = {}
    for item in dataclasses.fields(value):
        held = getattr(value, item.name)
        if not (item.metadata.get("omitted") and held == default_of(item)):
            found[item.name] = _plain(held)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, Part):
        return value.plain()
    if dataclasses.is_dataclass(value):
        return _plain_fields(value)
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _parts(value: Any) -> Iterator[Part]:
    if isinstance(value, Part):
        yield value
    elif dataclasses.is_dataclass(value):
        for item in dataclasses.fields(value):
            yield from _parts(getattr(value, item.name))


def _own_schedules(value: Any) -> Iterator[str]:
    """Yield the modules of the schedules that the processes of a job name by a dotted path."""
    for item in dataclasses.fields(value):
        held = getattr(value, item.name)
        if item.name == "diffusion":
            yield from own_modules([held.get("schedule", "")])
        elif dataclasses.is_dataclass(held):
            yield from _own_schedules(held)


def own_modules(paths: Iterable[str]) -> list[str]:
    """Return the modules of those names that are dotted paths."""
    return [path.rpartition(".")[0] for path in paths if "." in path]


def _read(kind: type, content: Any, where: str) -> Any:
    """Return a job, or a dataclass inside it, from plain data."""
    if not isinstance(content, Mapping):
        raise UserError(f"{where}: {content!r} is not a map of settings")
    fields, hints = {item.name: item for item in dataclasses.fields(kind)}, typing.get_type_hints(kind)
    for key in content:
        if key not in fields:
            raise UserError(f"{where}: unknown key '{key}'; {nearest(key, fields)}")
    values = {}
    for name, item in fields.items():
        if name in content:
            values[name] = _typed(content[name], hints[name], f"{where}.{name}")
        elif item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING:
            raise UserError(f"{where}: '{name}' is missing; take the spec from an artifact's .json or the workflow")
    try:
        return kind(**values)
    except ValueError as error:
        raise UserError(f"{where}: {error}") from error


def _typed(value: Any, hint: Any, where: str) -> Any:
    """Return plain data converted to the type of a field."""
    if isinstance(hint, types.UnionType) and type(None) in typing.get_args(hint):
        if value is None:
            return None
        wanted = [item for item in typing.get_args(hint) if item is not type(None)]
        if len(wanted) == 1:
            return _typed(value, wanted[0], where)
    if typing.get_origin(hint) is tuple and isinstance(value, (list, tuple)):
        inner = typing.get_args(hint)
        if len(inner) == 2 and inner[1] is Ellipsis and dataclasses.is_dataclass(inner[0]):
            return tuple(_typed(item, inner[0], f"{where}[{i}]") for i, item in enumerate(value))
    if isinstance(hint, type) and issubclass(hint, Part):
        return hint.read(value, where)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return _read(hint, value, where)
    return coerced(value, hint, where)
