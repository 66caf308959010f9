"""Where results are, and which command makes them: the end of a message about results that are not there."""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from diffbench.base.errors import UserError
from diffbench.base.provenance_file import RESULTS
from diffbench.benchmark import paths
from diffbench.benchmark.codehash import PACKAGE_ROOT
from diffbench.benchmark.places import CONFIGURATION, DEFAULT, DEFAULT_NAME, RUNS, SHIPPED
from diffbench.benchmark.yaml_file import read_yaml

TABLE = paths.table("table2")
"""The file that a run of a benchmark makes last, from all of its scores."""

MOST_FILES = 50
"""The most YAML files of the working directory that are read to find a benchmark."""


def uv_run() -> str:
    """Return what comes before a command of the environment: "uv run " if the present one was given in this way."""
    return "uv run " if "UV_RUN_RECURSION_DEPTH" in os.environ else ""


def making(target: str, config: Path | None) -> str:
    """Return the command that makes a file of a benchmark, and that it needs a clone if there is none here.

    target: the file's path from the folder `results` on. config: the benchmark's YAML, if it is known.
    """
    command = f"{uv_run()}snakemake --cores all {target}"
    if config is None:
        command += " --configfile YOUR.yaml"
    elif config.absolute() != (PACKAGE_ROOT / DEFAULT).absolute():
        command += f" --configfile {shlex.quote(os.path.relpath(config))}"
    has_workflow = (PACKAGE_ROOT / "Snakefile").is_file() or Path("Snakefile").is_file()
    return command if has_workflow else f"{command}, in a clone of the project"


def way_to(path: Path) -> str:
    """Return how to get results that are missing at a path: the command that makes them, and results that are here."""
    target, config = _wanted(path)
    command = f"make them by: {making(target, config)}"
    if not (PACKAGE_ROOT / "Snakefile").is_file():
        command = "a run of the workflow makes them, in a clone of the project"
    here = [str(found.relative_to(Path.cwd())) for found in _trees() if found.resolve() != path.resolve()]
    return f"{command}; results that are here: {', '.join(here)}" if here else command


def _wanted(path: Path) -> tuple[str, Path | None]:
    """Return the file of results to make for a path, and the YAML of its benchmark; None if that is not known."""
    parts = path.parts
    if RESULTS not in parts:
        return TABLE, PACKAGE_ROOT / DEFAULT if len(parts) < 2 or RUNS not in parts else _config_of(path, path.name)
    place = len(parts) - 1 - parts[::-1].index(RESULTS)
    target = "/".join(parts[place:])
    home = Path(*parts[:place])
    name = home.name if home.parent.name == RUNS else DEFAULT_NAME
    return target if path.suffix == ".csv" else TABLE, _config_of(home, name)


def _config_of(home: Path, name: str) -> Path | None:
    """Return the YAML that configured a benchmark's tree, or otherwise one here or of those that ship."""
    note = home / CONFIGURATION
    if note.is_file():
        return Path(os.path.normpath(home / note.read_text().strip()))
    near = [PACKAGE_ROOT / SHIPPED / f"{name}.yaml", *sorted(Path().glob("*.yaml"))[:MOST_FILES]]
    return next((file for file in near if file.is_file() and _names(file, name)), None)


def _names(file: Path, name: str) -> bool:
    try:
        content = read_yaml(file)
    except UserError:
        return False
    return isinstance(content, Mapping) and content.get("benchmark") == name


def _trees() -> list[Path]:
    """Return the folders of results below the working directory that hold anything but a README."""
    found = [Path.cwd() / RESULTS, *sorted((Path.cwd() / RUNS).glob(f"*/{RESULTS}"))]
    return [folder for folder in found if folder.is_dir() and any(item.is_dir() for item in folder.iterdir())]
