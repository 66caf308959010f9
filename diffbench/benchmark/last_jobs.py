"""Checks, before the first job of a run, that its last jobs (tables and figures) can succeed."""

import importlib
from collections.abc import Iterable

from diffbench.base.errors import UserError
from diffbench.base.plugins import module_of
from diffbench.base.provenance_file import RESULTS
from diffbench.benchmark.benchmark import Benchmark
from diffbench.benchmark.paths import place_of, scores
from diffbench.benchmark.sample_set import SampleSet

LONGEST_COMMAND = 100_000
"""The most letters in all paths of scores on a table's command line. Linux allows 131,072 for the whole line."""


def check_last_jobs(benchmark: Benchmark) -> None:
    """Raise UserError if a run would end without a table although every job before it succeeds."""
    rows = benchmark.sample_sets()
    for name in dict.fromkeys(protocol for row in rows for protocol in row.protocols):
        _require_column(benchmark, name, "table2")
    guided = [row for row in rows if benchmark.variant(row.model).guidance is not None]
    measured = list(dict.fromkeys(protocol for row in guided for protocol in row.protocols))
    if measured and not any(_has_column(benchmark, name, "table4") for name in measured):
        _require_column(benchmark, measured[0], "table4")
    if (letters := _letters(rows)) > LONGEST_COMMAND:
        raise UserError(
            f"runs: the paths of all scores have {letters} letters, and a table's job can be given {LONGEST_COMMAND}; "
            "split the runs over two benchmarks"
        )


def _has_column(benchmark: Benchmark, protocol: str, table: str) -> bool:
    metrics = benchmark.protocols[protocol][1].metrics
    # Tables are slow to import. All of them have a column for FID, so they are imported only for other metrics.
    return "fid" in metrics or bool({*metrics} & {*_columns(table)})


def _columns(table: str) -> tuple[str, ...]:
    return importlib.import_module(module_of("tables", table)).SCORES


def _require_column(benchmark: Benchmark, protocol: str, table: str) -> None:
    if not _has_column(benchmark, protocol, table):
        metrics = ", ".join(benchmark.protocols[protocol][1].metrics)
        raise UserError(
            f"protocols.{protocol}.metrics: {table} has no column for {metrics}, so that its rows would be missing; "
            f"add one of {', '.join(_columns(table))}"
        )


def _letters(rows: Iterable[SampleSet]) -> int:
    return sum(len(f"{scores(RESULTS, name, place_of(row), row.steps)} ") for row in rows for name in row.protocols)
