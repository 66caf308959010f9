"""Rules for names: of a benchmark and its entries, which become folders, and of keys in files of weights."""

import re
from collections.abc import Iterable
from typing import Any, Literal

from diffbench.base.errors import UserError

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,63}")
REAL = "real"
"""The name for real images where a model's name is expected: in the rows of a table and in a cascade."""

SplitName = Literal["train", "test"]
"""The splits of a data set."""

BENCHMARK = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


def require_names(names: Iterable[Any], where: str) -> None:
    """Raise UserError if one of these names cannot name a folder; where: the key that holds them."""
    for name in names:
        if not isinstance(name, str) or not NAME.fullmatch(name) or name == REAL:
            shown = name if isinstance(name, str) and len(name) <= 80 else repr(name)[:80]
            raise UserError(
                f"{where}: '{shown}' cannot be a name; use up to 64 letters, digits, _ - + . ('{REAL}' is taken)"
            )


def require_benchmark(name: Any) -> None:
    """Raise UserError if a benchmark's name cannot name a folder."""
    if not isinstance(name, str) or not BENCHMARK.fullmatch(name):
        raise UserError(f"benchmark: {name!r} is not a name of letters, digits and underscores")


def weights_under(key: str | None) -> Literal["ema", "raw"]:
    """Return which weights a key of a file holds: "ema" if its name says that they are an average, else "raw"."""
    return "ema" if {"ema", "average", "averaged"} & set(re.split(r"[^a-z]+", (key or "").lower())) else "raw"
