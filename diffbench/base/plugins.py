"""The loader of parts by name: a file in a folder of the package, or a class of your own by its dotted path.

A part is a frozen dataclass; its fields are its configuration. A file in a parts folder holds exactly one public
dataclass that is meant to be chosen; its name in a configuration is the file's name. A family of parts is a file
`_family.py` whose function `part(member)` returns the class of what a configuration calls `family:member`.
"""

import dataclasses
import difflib
import importlib
import inspect
import math
import os
import pkgutil
import sys
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeGuard

from diffbench.base.errors import UserError

PACKAGE = "diffbench"
DottedPath = typing.NewType("DottedPath", str)
"""The place of a class or a function in a module of your own, such as `my_module.MySampler`."""

WHOLE_LIMIT = 2**63
"""Whole numbers must be below it, as in arrays and in many readers of JSON."""


def nearest(word: Any, allowed: Iterable[str]) -> str:
    """Return the end of an error message: what is allowed, and the nearest spelling if there is a near one."""
    allowed = sorted(map(str, allowed))
    close = difflib.get_close_matches(str(word), allowed, n=1)
    hint = f"did you mean '{close[0]}'? " if close else ""
    return f"{hint}allowed: {', '.join(allowed) or 'nothing'}"


def names(folder: str) -> list[str]:
    """Return the names of the parts in a folder of the package, sorted."""
    package = Path(__file__).parents[1] / folder
    return sorted(item.name for item in pkgutil.iter_modules([str(package)]) if not item.name.startswith("_"))


def families(folder: str) -> list[str]:
    """Return the names of the families in a folder, which are its files `_family.py` that define `part`."""
    package = Path(__file__).parents[1] / folder
    return sorted(path.stem[1:] for path in package.glob("_[a-z]*.py") if "\ndef part(" in path.read_text())


def module_of(folder: str, name: str, where: str = "") -> str:
    """Return the dotted name of the module that holds the part `name`.

    Raises: UserError with the nearest spelling if there is no such part.
    """
    family, colon, _ = name.partition(":")
    if colon:
        if family not in families(folder):
            known = nearest(family, families(folder))
            raise UserError(f"{where or folder}: no family '{family}' of {folder} for '{name}'; {known}")
        return f"{PACKAGE}.{folder}._{family}"
    if "." in name:
        return name.rsplit(".", 1)[0]
    if name not in names(folder):
        raise UserError(f"{where or folder}: no {folder.removesuffix('s')} '{name}'; {nearest(name, names(folder))}")
    return f"{PACKAGE}.{folder}.{name}"


def load(folder: str, name: str, where: str = "") -> type:
    """Return the class of the part `name`: from a file in `folder`, from a family, or by its dotted path.

    Optional attributes of the folder's contract that the class lacks get the contract's defaults (`completed`).
    Raises: UserError if there is no such module or class, the module itself fails to import, or the class lacks what
    the contract requires.
    """
    part = completed(folder, _found(folder, name, where))
    missing = _missing(contract_of(folder), part)
    if missing:
        raise UserError(f"{where or folder}: {name} has no '{missing[0]}', which {folder}/_contract.py requires")
    return part


def _missing(contract: type | None, part: type) -> list[str]:
    """Return what a contract requires and a part has neither as a field nor as an attribute.

    The class itself is looked at, since `hasattr` finds a `__call__` in every class: that of its metaclass.
    """
    given = vars(contract or object)
    declared = [name for name in given.get("__annotations__", {}) if name not in given]
    abstract = [name for name, item in given.items() if getattr(item, "__isabstractmethod__", False)]
    held = {field.name for field in dataclasses.fields(part)}.union(*map(vars, part.__mro__))
    return [name for name in (*declared, *abstract) if name not in held]


def completed(folder: str, part: type) -> type:
    """Return the part with its contract's default for every optional attribute that it does not declare.

    An attribute is optional if it has a value in the folder's contract and is not an abstract method. Parts therefore
    need not inherit from the contract, and the code that reads a part needs no defaults.
    """
    for name, default in vars(contract_of(folder) or object).items():
        required = name.startswith("_") or getattr(default, "__isabstractmethod__", False)
        if not required and not hasattr(part, name):
            setattr(part, name, default)
    return part


def contract_of(folder: str) -> type | None:
    """Return the contract of a folder's parts, which is CONTRACT in its `_contract.py`; None if it has no such file."""
    if not (Path(__file__).parents[1] / folder / "_contract.py").is_file():
        return None
    return importlib.import_module(f"{PACKAGE}.{folder}._contract").CONTRACT


def _found(folder: str, name: str, where: str) -> type:
    module_name = module_of(folder, name, where)
    if ":" in name:
        try:
            return importlib.import_module(module_name).part(name.partition(":")[2])
        except UserError as error:
            raise UserError(f"{where or folder}: {error}") from error
    module = _imported(module_name, name, where or folder) if "." in name else importlib.import_module(module_name)
    if "." in name:
        part = getattr(module, name.rsplit(".", 1)[1], None)
        if not (inspect.isclass(part) and dataclasses.is_dataclass(part)):
            raise UserError(f"{where or folder}: {module_name} has no dataclass '{name.rsplit('.', 1)[1]}'")
        return part
    return _only_part(module)


def _imported(module_name: str, name: str, where: str) -> types.ModuleType:
    """Return the module of a dotted path; modules in the working folder are found too. Raises: UserError."""
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    try:
        return importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {error}"
        raise UserError(f"{where}: cannot import '{module_name}' for '{name}' ({reason})") from error


def function_at(name: str, where: str) -> typing.Callable[..., Any]:
    """Return the function of a dotted path, such as `my_module.my_function`. Raises: UserError if there is none."""
    module_name, _, own = name.rpartition(".")
    found = getattr(_imported(module_name, name, where), own, None)
    if not callable(found):
        raise UserError(f"{where}: {module_name} has no function '{own}'")
    return found


def _only_part(module: types.ModuleType) -> type:
    """Return the class that a parts file offers: `PART` if the file defines it, else its only public dataclass."""
    if hasattr(module, "PART"):
        return module.PART
    found = [
        item
        for key, item in vars(module).items()
        if inspect.isclass(item)
        and item.__module__ == module.__name__
        and dataclasses.is_dataclass(item)
        and not key.startswith("_")
    ]
    if len(found) != 1:
        raise TypeError(f"{module.__name__} must define exactly one public dataclass (or PART), it has {len(found)}")
    return found[0]


def configure(part: type, options: Any, where: str) -> Any:
    """Return `part(**options)` after a check of every key and type.

    where: the place in the configuration, for messages. A sampler may declare `no_options`, which says why an option
    that a user may expect is not among its fields. Raises: UserError.
    """
    if not is_map(options):
        raise UserError(f"{where}: {options!r} is not a map of options")
    fields = {field.name: field for field in dataclasses.fields(part) if field.init}
    try:
        hints = typing.get_type_hints(part)
    except Exception as error:
        raise UserError(
            f"{where}: a field of {part.__name__} has an annotation that cannot be resolved ({error})"
        ) from error
    refused: Mapping[str, str] = getattr(part, "no_options", {})
    for key in options:
        others = [str(other) for other in options if other != key and (other in refused or other not in fields)]
        also = f" (nor can {', '.join(others)})" if others else ""
        if key in refused:
            raise UserError(f"{where}.{key}: cannot be set here: {refused[key]}{also}")
        if key not in fields:
            raise UserError(f"{where}: unknown key '{key}'; {nearest(key, fields)}{also}")
    values = {key: coerced(value, hints[key], f"{where}.{key}") for key, value in options.items()}
    for name, field in fields.items():
        if name not in values and default_of(field) is dataclasses.MISSING:
            raise UserError(f"{where}: '{name}' is missing")
    try:
        return part(**values)
    except ValueError as error:
        raise UserError(f"{where}: {error}") from error
    except Exception as error:
        raise UserError(f"{where}: {part.__name__} cannot be made ({type(error).__name__}: {error})") from error


def default_of(field: "dataclasses.Field[Any]") -> Any:
    """Return the default of a dataclass's field; dataclasses.MISSING if it has none."""
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def is_map(value: Any) -> TypeGuard[Mapping[Any, Any]]:
    """Return whether a value is a map; the type checker then knows it too."""
    return isinstance(value, Mapping)


def is_list(value: Any) -> TypeGuard[Sequence[Any]]:
    """Return whether a value is a list or a tuple, as `is_map`."""
    return isinstance(value, (list, tuple))


def stated(entry: Any) -> Any:
    """Return the value of a key in YAML, where a key without a value means an empty map."""
    return {} if entry is None else entry


def chosen(folder: str, entry: Any, where: str, default: str | None = None) -> tuple[str, Any]:
    """Return a part's name and instance from an entry: a name, or a map with `name` and options.

    default: the name if the entry gives none. Raises: UserError.
    """
    entry = {"name": entry} if isinstance(entry, str) else stated(entry)
    if not is_map(entry):
        raise UserError(f"{where}: {entry!r} is neither a name nor a map")
    options = dict(entry)
    name = options.pop("name", default)
    if not isinstance(name, str):
        raise UserError(f"{where}: 'name' is missing")
    return name, configure(load(folder, name, where), options, where)


def coerced(value: Any, hint: Any, where: str) -> Any:
    """Return a YAML value as the annotated type (lists as tuples, whole numbers as floats, maps as dataclasses).

    Raises: UserError naming the place, the value and the type that is wanted.
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        wanted = [item for item in arguments if item is not type(None)]
        for position, item in enumerate(wanted):
            try:
                return coerced(value, item, where)
            except UserError:
                if position == len(wanted) - 1:
                    raise
    if isinstance(value, str) and "." in value and hint == DottedPath:
        return value
    if origin is typing.Literal:
        if value in arguments:
            return value
        raise UserError(f"{where}: {value!r} is not allowed; {nearest(value, arguments)}")
    if origin is tuple and is_list(value):
        inner = arguments[0] if len(arguments) == 2 and arguments[1] is Ellipsis else None
        if inner is not None:
            return tuple(coerced(item, inner, f"{where}[{i}]") for i, item in enumerate(value))
        if len(arguments) == len(value):
            return tuple(coerced(item, kind, where) for item, kind in zip(value, arguments, strict=True))
    if origin is dict and is_map(value):
        return {key: coerced(item, arguments[1], f"{where}.{key}") for key, item in value.items()}
    if dataclasses.is_dataclass(hint) and is_map(value):
        return configure(typing.cast(type, hint), value, where)
    if isinstance(value, int) and abs(value) >= WHOLE_LIMIT:
        raise UserError(f"{where}: too large; whole numbers are below 2^63")
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise UserError(f"{where}: {value!r} is not a finite number")
        return float(value)
    if hint is Any or (
        inspect.isclass(hint) and isinstance(value, hint) and (hint is bool or not isinstance(value, bool))
    ):
        return value
    raise UserError(f"{where}: {value!r} is not {_spoken(hint)}")


def _spoken(hint: Any) -> str:
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
    if hint in words:
        return words[hint]
    if typing.get_origin(hint) is tuple:
        return "a list (write [...])"
    if typing.get_origin(hint) is dict:
        return "a map"
    return f"a map ({hint.__name__})" if dataclasses.is_dataclass(hint) and inspect.isclass(hint) else f"{hint}"


def described(part: Any, name: str) -> dict[str, Any]:
    """Return a part as plain data: its name and every field, including those with their defaults."""
    return {"name": name, **dataclasses.asdict(part)}
