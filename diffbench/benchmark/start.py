"""The start of the workflow: it finds the benchmark's files, and checks that its tree of results can be used."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from diffbench.base.errors import UserError
from diffbench.base.provenance_file import RESULTS
from diffbench.benchmark.benchmark import Benchmark
from diffbench.benchmark.codehash import PACKAGE_ROOT
from diffbench.benchmark.graph import Graph
from diffbench.benchmark.guard import makes_nothing
from diffbench.benchmark.known_data import KnownData, data_at_start
from diffbench.benchmark.load import load_benchmark
from diffbench.benchmark.paths import COMPARED
from diffbench.benchmark.places import (
    DEFAULT,
    VARIABLE,
    home_of,
    moved_configuration,
    naming_file,
    require_own_tree,
)
from diffbench.benchmark.suited import require_suited


@dataclass(frozen=True)
class Started:
    """The benchmark of a run. home: the folder that holds its `results`. file: the last of its configuration files.

    named_by: the file among them that names the benchmark, to which the tree of results belongs.
    """

    benchmark: Benchmark
    home: Path
    file: Path
    named_by: Path

    @property
    def of_comparison(self) -> bool:
        """Whether the run is a comparison's, whose configuration file is in the tree of results itself."""
        return self.file.is_relative_to(self.home / COMPARED)


def started(given: Sequence[str], settings: Sequence[str], root: Path = PACKAGE_ROOT) -> Started:
    """Return the benchmark of a run. given: files of --configfile. settings: those of --config, laid over the files.

    Raises: UserError if the configuration has a mistake, or its tree of results cannot be used.
    """
    files = files_of_config(given, root)
    benchmark = load_benchmark(*map(os.path.relpath, files), settings=settings)
    home = home_of(benchmark.name, root)
    found = Started(benchmark, home, Path(files[-1]).absolute(), naming_file(files))
    for folder in (found.home, found.home / RESULTS, found.home / ".snakemake"):
        require_writable(folder)
    if not found.of_comparison:
        require_own_tree(home, found.named_by, benchmark.name)
        if (moved := moved_configuration(home, found.named_by, benchmark.name)) is not None:
            say(f"note: {home} was made by {moved}, which is gone; {os.path.relpath(found.named_by)} goes on with it")
    return found


def check_data(start: Started, graph: Graph, words: Sequence[str]) -> KnownData | None:
    """Return what is known of a run's data set, after a check that it suits the benchmark. words: the command's.

    None if nothing is known. A job that an executor starts apart does not ask again.
    Raises: UserError if the data set does not suit its benchmark, so that a job would fail.
    """
    if makes_nothing(words):
        return None
    try:
        data = data_at_start(graph)
        if data is not None:
            require_suited(start.benchmark, data)
        return data
    except UserError as error:
        raise UserError(f"{os.path.relpath(start.file)}: {error}") from None


def files_of_config(
    given: Sequence[str], root: Path = PACKAGE_ROOT, environment: Mapping[str, str] = os.environ
) -> Sequence[str]:
    """Return the benchmark's files: that of DIFFBENCH_CONFIG, those of --configfile, or the default.

    Snakemake's own reader takes 010 for 8 and nested numbers in --config for texts, and it runs Python in a file. So
    files are read again here, and a file that DIFFBENCH_CONFIG names is read only here.
    Raises: UserError if both are given.
    """
    named = environment.get(VARIABLE)
    if named and given:
        raise UserError(f"{VARIABLE} names {named}, and --configfile another benchmark; give one")
    return [named] if named else given or [str(root / DEFAULT)]


def require_writable(folder: Path) -> None:
    """Raise UserError if files cannot be made at a path, or if it is not a folder."""
    nearest = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
    if not nearest.is_dir():
        raise UserError(f"{nearest}: is no folder; remove it or run elsewhere")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise UserError(f"{nearest}: cannot be written; fix permissions or run in a copy elsewhere")


def say(line: str) -> None:
    """Write a line to stderr, which begins with "diffbench: "."""
    sys.stderr.write(f"diffbench: {line}\n")
    sys.stderr.flush()


@contextmanager
def one_line_errors() -> Iterator[None]:
    """End the process with one line on stderr and exit code 2 if there is a UserError or an OSError."""
    try:
        yield
    except UserError as error:
        say(str(error))
        sys.exit(2)
    except OSError as error:
        say(f"{error.filename}: {error.strerror}; free space or fix permissions")
        sys.exit(2)
