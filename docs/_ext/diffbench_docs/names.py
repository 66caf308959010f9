"""The public names of the package as Markdown, by what they are for."""

import importlib
import inspect
import typing
from typing import Any

import diffbench

GROUPS = {
    "Results, models and scores": ("diffbench.api", "diffbench.commands", "diffbench.comparison"),
    "Benchmarks": ("diffbench.benchmark",),
    "Metrics": ("diffbench.metrics",),
    "Samplers": ("diffbench.samplers",),
    "Chains, likelihood and progressive coding": ("diffbench.diffusion",),
    "Other names": ("diffbench",),
}
"""The headings, and the packages whose names are under each; a name is under the first that fits."""

RETURNED = ("diffbench.api.results.Results", "diffbench.api.model.Model")
"""Classes that a notebook gets from public functions and whose members it calls."""


def text() -> str:
    """Return a section for each group of names, with the signature and docstring of every name."""
    groups: dict[str, list[str]] = {title: [] for title in GROUPS}
    for name, home in diffbench.PUBLIC.items():
        groups[_group(home)].append(f"diffbench.{name}")
    for path in returned():
        groups[_group(path)].append(path)
    return "\n\n".join(_section(title, held) for title, held in groups.items() if held)


def _group(home: str) -> str:
    return next(title for title, packages in GROUPS.items() if home.startswith(packages))


def returned() -> list[str]:
    """Return the dotted names of the classes that public functions return and that are not public themselves."""
    public = [getattr(diffbench, name) for name in diffbench.PUBLIC]
    found = list(RETURNED)
    for item in public:
        kind = typing.get_type_hints(item).get("return") if inspect.isfunction(item) else None
        if inspect.isclass(kind) and kind not in public and kind.__module__.startswith("diffbench."):
            found.append(f"{kind.__module__}.{kind.__qualname__}")
    return list(dict.fromkeys(found))


def _section(title: str, held: list[str]) -> str:
    return f"## {title}\n\n" + "\n\n".join(map(documented, held))


def documented(path: str) -> str:
    """Return the Markdown that shows a function or a class with its members, by its dotted name."""
    module, _, name = path.rpartition(".")
    item: Any = getattr(importlib.import_module(module), name)
    if inspect.isclass(item):
        directive = f".. autoclass:: {path}\n   :members:\n   :undoc-members:"
    elif inspect.isroutine(item):
        directive = f".. autofunction:: {path}"
    else:  # a type, which has its text where it is defined
        directive = f".. autodata:: {diffbench.PUBLIC[name]}.{name}\n   :no-value:"
    return f"```{{eval-rst}}\n{directive}\n```"
