"""The expected seconds of each job of a benchmark, and of all of them together. Nothing is measured here."""

from diffbench.benchmark.benchmark import Benchmark
from diffbench.commands.plan.data import Known
from diffbench.commands.plan.schedule import makespan
from diffbench.commands.plan.speed import SNAKEMAKE, Speed
from diffbench.commands.plan.work import works_of


def expected_seconds(benchmark: Benchmark, known: Known, speed: Speed) -> dict[str, float]:
    """Return the seconds that each job of the tables takes, by the path of its first artifact."""
    return {work.path: speed.seconds(work) for work in works_of(benchmark, known)}


def seconds_in_all(benchmark: Benchmark, known: Known, speed: Speed, workers: int) -> float:
    """Return how long a run of the tables takes with a number of jobs side by side.

    What counts is when the last job is done: a chain of jobs that wait for each other takes its time however many
    places there are.
    """
    works = works_of(benchmark, known)
    seconds = {work.path: speed.seconds(work) for work in works}
    return SNAKEMAKE * speed.start_up + makespan(works, seconds, workers)
