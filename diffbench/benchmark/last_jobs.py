"""Checks, before the first job of a run, that its last jobs (tables and figures) can succeed."""

from collections.abc import Iterable

from diffbench.base.errors import UserError
from diffbench.base.provenance_file import RESULTS
from diffbench.benchmark.benchmark import Benchmark
from diffbench.benchmark.paths import place_of, record, samples, scores, weights
from diffbench.benchmark.reproduced import has_published
from diffbench.benchmark.sample_set import SampleSet

LONGEST_COMMAND = 100_000
"""The most letters in all paths on a table's command line. Linux allows 131,072 for the whole line."""

LETTERS_OF_A_SCORE = 150
"""About how many letters a score has in the spec of the table beside published numbers, except for its paths."""

LETTERS_OF_A_MODEL = 120
"""About how many letters a model has in the spec of table 1."""


def check_last_jobs(benchmark: Benchmark) -> None:
    """Raise UserError if a run would end without a table although every job before it succeeds."""
    rows = benchmark.sample_sets()
    letters = max(_of_scores(rows) + _of_models(rows), _of_published(rows) if has_published(benchmark) else 0)
    if letters > LONGEST_COMMAND:
        raise UserError(
            f"runs: the paths of all scores and models have {letters} letters, and a table's job can be given "
            f"{LONGEST_COMMAND}; split the runs over two benchmarks"
        )


def _of_scores(rows: Iterable[SampleSet]) -> int:
    return sum(len(f"{scores(RESULTS, name, place_of(row), row.steps)} ") for row in rows for name in row.protocols)


def _of_models(rows: Iterable[SampleSet]) -> int:
    """Return the letters of what table 1 is given beside scores: two records for each model and training seed."""
    first = {(row.entry, row.train_seed): row for row in reversed(list(rows))}
    records = [record(path) for row in first.values() for path in (_weights(row), _samples(row))]
    return sum(len(f"{path} ") for path in records) + LETTERS_OF_A_MODEL * len(first)


def _weights(row: SampleSet) -> str:
    return weights(row.entry, row.train_seed)


def _samples(row: SampleSet) -> str:
    return samples(RESULTS, place_of(row), row.steps)


def _of_published(rows: Iterable[SampleSet]) -> int:
    """Return the letters of the spec of the table beside published numbers: three paths for each score."""
    return sum(
        len(scores(RESULTS, name, place_of(row), row.steps) + record(_weights(row)) + record(_samples(row)))
        + LETTERS_OF_A_SCORE
        for row in rows
        for name in row.protocols
    )
