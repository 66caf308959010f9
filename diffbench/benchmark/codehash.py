"""A hash of the code that a job runs: its modules and every module of this project that they import, in turn.

The hash covers the source without comments, blank lines and docstrings, so that rewording runs no job again. It is
not a hash of the syntax tree, because its form differs between versions of Python.
"""

import ast
import hashlib
import importlib.util
import io
import sys
import tokenize
from collections.abc import Sequence
from functools import cache
from pathlib import Path

PACKAGE_ROOT = Path(__file__).parents[2]

EXCLUDED = frozenset({"diffbench", "diffbench.base.progress", "diffbench.base.errors"})
"""Modules that cannot change a byte of an artifact: the list of public names, the display of progress, and the class of
errors."""


def code_hash(modules: Sequence[str], root: Path | str = PACKAGE_ROOT) -> str:
    """Return a hash (16 hexadecimal digits) of modules and of what they import from diffbench or the user's project.

    modules: dotted names, e.g. the stage's module and the modules of the parts that a job chose by name. If such a part
    is in an installed package, that package counts too; other installed packages that it imports do not count.
    """
    named = frozenset(name.split(".")[0] for name in modules)
    root = Path(root)
    found: dict[str, Path] = {}
    pending = list(modules)
    while pending:
        name = pending.pop()
        path = None if name in found else _source(name, str(root), named)
        if path is None:
            continue
        found[name] = path
        # An import of a user's module also runs the packages around it. Those of diffbench cannot change a result.
        parents = name.split(".")[:-1] if not name.startswith("diffbench.") else []
        pending += [".".join(parents[: i + 1]) for i in range(len(parents))]
        pending += _imports(path, name, path.stat().st_mtime_ns)
    content = {name: _stripped(path, path.stat().st_mtime_ns) for name, path in found.items() if name not in EXCLUDED}
    total = hashlib.sha256()
    for name in sorted(content):
        total.update(f"{name}\0{content[name]}\0".encode())
    return total.hexdigest()[:16]


def _source(name: str, root: str, named: frozenset[str]) -> Path | None:
    """Return the file of a module in `root`, the working directory or a named package; None for other libraries."""
    for folder in dict.fromkeys((root, str(Path.cwd()))):
        stem = Path(folder, *name.split("."))
        for candidate in (stem.with_suffix(".py"), stem / "__init__.py"):
            if candidate.is_file():
                return candidate
    if name.split(".")[0] in sys.stdlib_module_names or name.startswith("diffbench"):
        return None
    return _importable_project(name, name.split(".")[0] in named)


@cache
def _importable_project(name: str, installed_too: bool) -> Path | None:
    """Return the file of a user's module elsewhere on Python's path, or of an installed one if that counts too."""
    # Look for the top-level name first, because Python imports the part before the dot to find a dotted name.
    top = name.split(".")[0]
    try:
        found = importlib.util.find_spec(top)
        places = [] if found is None else [found.origin or "", *(found.submodule_search_locations or [])]
        installed = any({"site-packages", "dist-packages"} & set(Path(place).parts) for place in places)
        if not any(places) or (installed and not installed_too):
            return None
        found = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    origin = "" if found is None else found.origin or ""
    return Path(origin) if origin.endswith(".py") else None


@cache
def _imports(path: Path, name: str, _modified: int) -> tuple[str, ...]:
    """Return the dotted names that a file imports anywhere in it. `from a import b` gives both a and a.b."""
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            found += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return tuple(found)


@cache
def _stripped(path: Path, _modified: int) -> str:
    """Return a file's lines without comments, blank lines and docstrings."""
    text = path.read_text()
    lines = text.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for first, last in _docstrings(text):
        lines[first - 1 : last] = [""] * (last - first + 1)
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _docstrings(text: str) -> list[tuple[int, int]]:
    found = []
    for node in ast.walk(ast.parse(text)):
        body = getattr(node, "body", None)
        if not isinstance(body, list):
            continue
        for statement in body:
            constant = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
            if constant and isinstance(statement.value.value, str) and statement.col_offset + 1:  # type: ignore[attr-defined]
                found.append((statement.lineno, statement.end_lineno or statement.lineno))
    return found
