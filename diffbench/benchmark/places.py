"""Where a benchmark's files lie: what its relative paths start at, its tree of results, and whose tree that is."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from diffbench.base.errors import UserError
from diffbench.base.user_path import user_path
from diffbench.benchmark.codehash import PACKAGE_ROOT
from diffbench.benchmark.yaml_file import read_yaml

DEFAULT_NAME = "digits"
"""The benchmark whose results lie where the command is given; those of any other are in a folder of RUNS."""

RUNS = "runs"

SHIPPED = Path("workflow/config")
"""The folder of the benchmarks that ship with the project, in the project's own."""

DEFAULT = SHIPPED / f"{DEFAULT_NAME}.yaml"
"""The file of the default benchmark, in the project."""

VARIABLE = "DIFFBENCH_CONFIG"
"""The environment variable that names the file of a benchmark, for runs that Snakemake's own reader must not see."""

CONFIGURATION = ".snakemake/configuration"
"""Where a tree of results notes which file configured it."""


def folder_of(file: Path | str) -> Path:
    """Return the folder at which relative paths in a benchmark's file start."""
    folder = Path(file).absolute().parent
    return PACKAGE_ROOT if folder.resolve() == (PACKAGE_ROOT / SHIPPED).resolve() else folder


def home_of(name: str, root: Path = PACKAGE_ROOT) -> Path:
    """Return the folder that holds a benchmark's `results`."""
    return Path.cwd() if name == DEFAULT_NAME else root / RUNS / name


def project_of(home: Path) -> Path:
    """Return the project of a folder that holds `results`: what `home_of` started at."""
    folder = home.resolve()
    return folder.parent.parent if folder.parent.name == RUNS else folder


def remember_configuration(home: Path, file: Path) -> None:
    """Note in a tree of results which file configured it."""
    note = home / CONFIGURATION
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(f"{os.path.relpath(file, home)}\n")


def other_configuration(home: Path, file: Path, name: str) -> Path | None:
    """Return another file that configured a tree of results and still does: it names the same benchmark, differently.

    Two such files would replace each other's results. One that is gone, or says the same, is no other.
    """
    try:
        other = home / (home / CONFIGURATION).read_text().strip()
        same = other.samefile(file) or other.read_bytes() == file.read_bytes()
    except (OSError, UnicodeDecodeError):
        return None
    try:
        held = read_yaml(other)
    except UserError:
        return None
    claims = isinstance(held, Mapping) and held.get("benchmark") == name
    return Path(os.path.normpath(other)) if claims and not same else None


def require_own_tree(home: Path, file: Path, name: str) -> None:
    """Raise UserError where another file configured a tree of results and still names its benchmark."""
    other = other_configuration(home, file, name)
    if other is not None:
        raise UserError(
            f"{file.absolute()}: benchmark: '{name}' is the name of {other} too, whose results lie in {home}; "
            "give one of them another name"
        )


def located(content: Any, folder: Path) -> Any:
    """Return a benchmark's content with every path of a file or a folder in it made absolute.

    folder: where a relative one starts. What has no path, or not the form of a benchmark, is left as it is: the loader
    says what is wrong with it.
    """
    if not isinstance(content, Mapping):
        return content

    def absolute(path: Any) -> Any:
        return str(folder / user_path(path)) if isinstance(path, str) and path else path

    def checkpoint(value: Any) -> Any:
        return {**value, "path": absolute(value["path"])} if _has(value, "path") else absolute(value)

    def reference(value: Any) -> Any:
        return absolute(value) if isinstance(value, str) and value.endswith(".npz") else value

    paths: dict[str, tuple[str, Callable[[Any], Any]]] = {
        "models": ("checkpoint", checkpoint),
        "classifiers": ("checkpoint", checkpoint),
        "extractors": ("path", absolute),
        "protocols": ("reference", reference),
        "samplers": ("config", absolute),
    }
    result = _with({**content}, "dataset", lambda entry: _with(entry, "path", absolute))
    for section, (key, change) in paths.items():
        if isinstance(content.get(section), Mapping):
            result[section] = {name: _with(entry, key, change) for name, entry in content[section].items()}
    return result


def _has(value: Any, key: str) -> bool:
    return isinstance(value, Mapping) and key in value


def _with(entry: Any, key: str, change: Callable[[Any], Any]) -> Any:
    return {**entry, key: change(entry[key])} if _has(entry, key) else entry
