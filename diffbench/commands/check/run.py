"""The command `diffbench check`: what a run would refuse or fail at, in one line, and notes on stderr."""

import sys
from pathlib import Path

from diffbench.base.errors import UserError
from diffbench.base.provenance_file import RESULTS
from diffbench.benchmark.benchmark import Benchmark
from diffbench.benchmark.codehash import PACKAGE_ROOT
from diffbench.benchmark.known_data import KnownData, data_of, opened
from diffbench.benchmark.load import load_benchmark
from diffbench.benchmark.places import home_of, moved_configuration, require_own_tree
from diffbench.benchmark.start import require_writable
from diffbench.benchmark.suited import require_suited
from diffbench.commands.check import notes
from diffbench.commands.check.pictures import looked_at
from diffbench.commands.check.references import require_references
from diffbench.commands.resolved import resolved_yaml
from diffbench.datasets._split import MissingDataError


def check(config: Path, *, resolved: bool = False) -> str:
    """Return a summary of a benchmark or, if `resolved`, its file with every base and default filled in.

    Notes go to stderr. Raises: UserError if a run would be refused, or one of its jobs would fail.
    """
    benchmark = load_benchmark(config)
    notes_of_place = _checked_place(benchmark, config)
    try:
        data, lines = _data(benchmark)
        require_suited(benchmark, data)
        require_references(benchmark, data)
    except UserError as error:
        raise UserError(f"{config}: {error}") from None
    noted = [*notes_of_place, *notes.of_files(benchmark)]
    if data.num_images:
        noted += [*notes.of_numbers(benchmark, data), *notes.of_papers_sizes(benchmark, data)]
    for line in (*lines, *(f"note: {text}" for text in noted)):
        sys.stderr.write(f"{config}: {line}\n")
    return resolved_yaml(benchmark) if resolved else _summary(benchmark, config)


def _checked_place(benchmark: Benchmark, config: Path) -> list[str]:
    """Return notes on a benchmark's tree of results. Raises: UserError if it is another file's, or not writable."""
    home = home_of(benchmark.name)
    require_own_tree(home, config, benchmark.name)
    if (PACKAGE_ROOT / "Snakefile").is_file():  # A package that is installed without the workflow runs none.
        for folder in (home, home / RESULTS, home / ".snakemake"):
            require_writable(folder)
    moved = moved_configuration(home, config, benchmark.name)
    return [f"its results were made by {moved}, which is gone; this file goes on with them"] if moved else []


def _data(benchmark: Benchmark) -> tuple[KnownData, list[str]]:
    """Return what is known of the data, and the lines that say it. Raises: UserError if they cannot be read."""
    dataset = benchmark.dataset
    try:
        try:
            splits = opened(benchmark)
        except MissingDataError as error:
            if dataset.shape is None:
                raise
            return KnownData(dataset.shape, dataset.num_classes, {}), [f"note: the data are not here yet ({error})"]
        data = data_of(benchmark, splits)
        seen = {name: list(looked_at(split)) for name, split in splits.items()}
    except UserError as error:
        raise UserError(f"dataset: {error}") from None
    lines = [f"{name}: {split.summary()}" for name, split in splits.items()]
    lines += [f"note: {name}: {line}" for name, found in seen.items() for line in found]
    return data, lines + [f"note: {line}" for line in notes.of_labels(benchmark, splits["train"])]


def _summary(benchmark: Benchmark, config: Path) -> str:
    models, samplers, rows = len(benchmark.models), len(benchmark.samplers), len(benchmark.sample_sets())
    lines = [f"{config}: benchmark {benchmark.name}, {models} models, {samplers} samplers, {rows} rows"]
    lines += [f"left out of the grid: {name}: {reason}" for name, reason in benchmark.left_out.items()]
    return "\n".join(lines)
