"""Checks, before the first job of a run, that its last jobs (tables and figures) can succeed."""

from collections.abc import Iterable

from diffbench.base.errors import UserError
from diffbench.base.provenance_file import RESULTS
from diffbench.benchmark.benchmark import Benchmark
from diffbench.benchmark.paths import place_of, scores
from diffbench.benchmark.sample_set import SampleSet

LONGEST_COMMAND = 100_000
"""The most letters in all paths of scores on a table's command line. Linux allows 131,072 for the whole line."""


def check_last_jobs(benchmark: Benchmark) -> None:
    """Raise UserError if a run would end without a table although every job before it succeeds."""
    rows = benchmark.sample_sets()
    if (letters := _letters(rows)) > LONGEST_COMMAND:
        raise UserError(
            f"runs: the paths of all scores have {letters} letters, and a table's job can be given {LONGEST_COMMAND}; "
            "split the runs over two benchmarks"
        )


def _letters(rows: Iterable[SampleSet]) -> int:
    return sum(len(f"{scores(RESULTS, name, place_of(row), row.steps)} ") for row in rows for name in row.protocols)
