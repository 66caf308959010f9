"""The folders of a benchmark: the start of its relative paths, its results, and which file configured these."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from diffbench.base.errors import UserError
from diffbench.base.provenance_file import RESULTS
from diffbench.base.user_path import user_path
from diffbench.benchmark.codehash import PACKAGE_ROOT
from diffbench.benchmark.yaml_file import read_yaml

DEFAULT_NAME = "digits"
"""The benchmark whose `results` are in the working directory; those of any other are in a folder of RUNS."""

RUNS = "runs"

SHIPPED = Path("workflow/config")
"""The folder, in the project's, of the benchmarks that ship with it."""

DEFAULT = SHIPPED / f"{DEFAULT_NAME}.yaml"
"""The file of the default benchmark, in the project."""

VARIABLE = "DIFFBENCH_CONFIG"
"""The environment variable that names a benchmark's file, so that Snakemake's own reader does not read the file."""

CONFIGURATION = ".snakemake/configuration"
"""The file in a benchmark's home that names the file which configured it."""


def require_default(file: Path | str) -> None:
    """Raise UserError if a file is that of the default benchmark, and the working directory is not a clone."""
    if Path(file) == DEFAULT and not DEFAULT.is_file():
        raise UserError(
            f"{DEFAULT}: is not here; the default benchmark is in a clone of the project: go to the clone's folder, "
            "or name a YAML of your own"
        )


def folder_of(file: Path | str) -> Path:
    """Return the folder at which relative paths in a benchmark's file start."""
    folder = Path(file).absolute().parent
    return PACKAGE_ROOT if folder.resolve() == (PACKAGE_ROOT / SHIPPED).resolve() else folder


def home_of(name: str, root: Path = PACKAGE_ROOT) -> Path:
    """Return the folder that holds a benchmark's `results`."""
    return Path.cwd() if name == DEFAULT_NAME else root / RUNS / name


def project_of(home: Path) -> Path:
    """Return the project's folder for a folder that holds `results`, which is the reverse of `home_of`."""
    folder = home.resolve()
    return folder.parent.parent if folder.parent.name == RUNS else folder


def remember_configuration(home: Path, file: Path) -> None:
    """Write into a benchmark's home which file configured it."""
    note = home / CONFIGURATION
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(f"{os.path.relpath(file, home)}\n")


def naming_file(files: Sequence[Path | str]) -> Path:
    """Return the absolute path of the file that names the benchmark: of several layers, the last with that key."""
    return next((Path(file) for file in reversed(files) if _benchmark_in(Path(file))), Path(files[-1])).absolute()


def configured_by(home: Path, name: str) -> Path | None:
    """Return the file that configured a tree of results, whether or not it still exists; None if nothing tells.

    A tree that was pulled or copied may lack the note. If a benchmark of its name ships, its results are of that one.
    """
    try:
        noted = (home / CONFIGURATION).read_text().strip()
    except (OSError, UnicodeDecodeError):
        noted = ""
    if noted:
        return Path(os.path.normpath(home / noted))
    shipped = project_of(home) / SHIPPED / f"{name}.yaml"
    return shipped if shipped.is_file() and _has_results(home) else None


def other_configuration(home: Path, file: Path, name: str) -> Path | None:
    """Return the other file that configured a tree of results, if it still names the same benchmark; otherwise None.

    Two such files would replace each other's results. A file that is gone, or means the same, does not count. One that
    cannot be read does, because it may be that benchmark in the middle of a change.
    """
    other = configured_by(home, name)
    try:
        if other is None or not other.exists() or other.samefile(file):
            return None
    except OSError:
        return None
    try:
        held = read_yaml(other)
    except UserError:
        return other
    if not (isinstance(held, Mapping) and held.get("benchmark") == name):
        return None
    return None if _meaning(file) == located(held, folder_of(other)) else other


def moved_configuration(home: Path, file: Path, name: str) -> Path | None:
    """Return where the file that configured a tree of results was, if it is not there any more; otherwise None.

    The present file is then taken for it, since a file may be moved or renamed.
    """
    other = configured_by(home, name)
    gone = other is not None and not os.path.lexists(other) and other != Path(os.path.normpath(file.absolute()))
    return other if gone and _has_results(home) else None


def _benchmark_in(file: Path) -> Any:
    """Return the name of the benchmark in a file; None if it has none or cannot be read, which the loader reports."""
    try:
        held = read_yaml(file)
    except UserError:
        return None
    return held.get("benchmark") if isinstance(held, Mapping) else None


def _meaning(file: Path) -> Any:
    """Return a file's content with absolute paths: the same text in another folder may name other data."""
    try:
        return located(read_yaml(file), folder_of(file))
    except UserError:
        return None


def _has_results(home: Path) -> bool:
    """Return whether a tree holds an artifact with its record."""
    return next((home / RESULTS).rglob("*.json"), None) is not None


def require_own_tree(home: Path, file: Path, name: str) -> None:
    """Raise UserError if another file configured a tree of results and still names the same benchmark."""
    other = other_configuration(home, file, name)
    if other is not None:
        raise UserError(
            f"{file.absolute()}: benchmark: '{name}' is the name of {other} too, whose results are in {home}; "
            "give one of them another name, since each would replace the other's tables"
        )


def located(content: Any, folder: Path) -> Any:
    """Return a benchmark's content with all paths absolute.

    folder: the start of relative paths. Content that has not the form of a benchmark is left as it is, since the loader
    reports what is wrong with it.
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
