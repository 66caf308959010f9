"""How fast a benchmark's parts are on this machine, line by line as they are measured."""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from diffbench.base.devices import chosen_device
from diffbench.benchmark.load import load_benchmark
from diffbench.commands.bench import history
from diffbench.commands.bench.against import Ratio, ratios
from diffbench.commands.bench.asked import Asked
from diffbench.commands.bench.guided_diffusion import loaded
from diffbench.commands.bench.measured import Measured, Skipped
from diffbench.commands.bench.networks import Bench, measured_networks
from diffbench.commands.bench.place import Place, versions
from diffbench.commands.bench.scoring import measured_extraction, measured_metrics
from diffbench.commands.plan.data import known_data
from diffbench.commands.plan.words import scaled
from diffbench.stages._run_record import git_commit

HEADS = ("part", "of", "with", "numerics", "batch", "step", "images/s", "FLOP/s", "ceiling", "memory")
WORDS = 4
"""Columns of words; those after them have numbers."""

WIDTHS = (8, 20, 22, 10, 7, 13, 11, 10, 9, 11)


def bench(asked: Asked, say: Callable[[str], object]) -> None:
    """Measure what is asked for, say each result as soon as it is there, and add all to the history.

    Raises: UserError if the file has a mistake, the device is not there, or the checkout is not guided-diffusion.
    """
    benchmark = load_benchmark(asked.config)
    earlier = history.entries(asked.json) if asked.json else []
    checkout = None if asked.against is None else loaded(asked.against)
    threads = asked.threads or benchmark.execution.threads
    device = chosen_device(asked.device if asked.device != "auto" else benchmark.execution.device)
    work = Bench(asked, benchmark, known_data(benchmark), Place(device, threads, asked.seconds))
    work.chosen()
    work.place.prepare(work.training_numerics)
    say(f"{benchmark.name} on {work.place.words()}")
    say(_line(HEADS))
    found: list[Measured | Ratio] = []
    for one in chain(measured_networks(work), measured_extraction(work), measured_metrics(work)):
        say(row_of(one) if isinstance(one, Measured) else skipped(one))
        found += [one] if isinstance(one, Measured) else []
    for precision, flops in work.place.ceilings.items():
        say(f"ceiling: {scaled(flops)}FLOP/s in matrix products, {precision}")
    if work.place.clock.counts_processor:
        say("seconds are the processor's, so that other work on the machine counts less")
    for one in ratios(work, checkout) if checkout is not None else ():
        say(one.words() if isinstance(one, Ratio) else skipped(one))
        found += [one] if isinstance(one, Ratio) else []
    if asked.json is not None:
        entry = entry_of(work, found)
        for line in history.since_last(earlier, entry):
            say(line)
        history.append(asked.json, entry)
        say(f"added to {asked.json}, run {len(earlier) + 1}")


def entry_of(work: Bench, found: list[Measured | Ratio]) -> dict[str, Any]:
    """Return a run as a line of the history."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "benchmark": work.benchmark.name,
        "machine": work.place.machine(),
        "versions": versions(),
        "git_commit": git_commit(),
        "ceilings_tflops": {name: flops / 1e12 for name, flops in work.place.ceilings.items()},
        "measured": [one.as_json() for one in found if isinstance(one, Measured)],
        "against_guided_diffusion": [one.as_json() for one in found if isinstance(one, Ratio)],
    }


def row_of(one: Measured) -> str:
    """Return a measurement as a row of the table."""
    return _line(
        (
            one.part,
            one.of,
            one.detail,
            str(one.numerics),
            f"{one.batch:,}",
            f"{1e3 * one.times.median:,.4g} ms",
            rate(one.images_per_second),
            scaled(one.flops) if one.flop else "-",
            f"{one.share:.0%}" if one.share else "-",
            f"{one.memory:,.0f} MiB",
        )
    )


def rate(number: float) -> str:
    """Return images per second: whole ones where there are many."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def skipped(one: Skipped) -> str:
    """Return what was not measured as a line."""
    return f"{one.part:<8}{one.of}: not measured: {one.reason}"


def _line(cells: tuple[str, ...]) -> str:
    """Return cells in columns: words on the left, numbers on the right."""
    words = [f"{cell:<{width}}" for cell, width in zip(cells[:WORDS], WIDTHS[:WORDS], strict=True)]
    counted = [f"{cell:>{width}}" for cell, width in zip(cells[WORDS:], WIDTHS[WORDS:], strict=True)]
    return " ".join([*words, *counted]).rstrip()
