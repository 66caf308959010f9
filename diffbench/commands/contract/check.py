"""What a check of a part is, and the two ways in which it can end other than well."""

import dataclasses
from collections.abc import Callable
from typing import Any

Check = Callable[[Any], None]
"""check(part) returns nothing if the part keeps what the first line of the check's docstring says."""


class BrokenError(Exception):
    """What a part does wrong and what to do about it, in one line."""


class NotJudgedError(Exception):
    """Why a check cannot say anything about this part, in one line."""


def require(kept: object, wrong: str) -> None:
    """Raise BrokenError with what is wrong unless it is kept."""
    if not kept:
        raise BrokenError(wrong)


def require_frozen(part: Any) -> None:
    """Raise BrokenError unless the part is an instance of a frozen dataclass."""
    parameters = getattr(part, "__dataclass_params__", None)
    require(
        parameters is not None and parameters.frozen, "is not frozen; write @dataclass(frozen=True) above the class"
    )


def require_declared(part: Any, **kinds: type) -> None:
    """Raise BrokenError unless the part has an attribute of each kind."""
    for name, kind in kinds.items():
        found = getattr(part, name)
        require(
            isinstance(found, kind) and (kind is bool or not isinstance(found, bool)),
            f"declares {name} = {found!r}; it must be of the type {kind.__name__}",
        )


def is_default(part: Any) -> bool:
    """Return whether a part has its default options; so has one whose options have no defaults."""
    given = [getattr(part, item.name) == item.default for item in dataclasses.fields(part) if _has_default(item)]
    return all(given)


def _has_default(item: dataclasses.Field[Any]) -> bool:
    return item.default is not dataclasses.MISSING
