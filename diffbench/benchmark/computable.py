"""Checks, before any job, that the entry `numerics` has an effect, and that the named device can compute so."""

from dataclasses import fields

from diffbench.base.errors import UserError
from diffbench.base.numerics import DEFAULT_NUMERICS
from diffbench.benchmark.benchmark import Benchmark
from diffbench.benchmark.numerics import StageNumerics


def check_numerics(benchmark: Benchmark) -> None:
    """Raise UserError for the numerics of a stage without jobs, or for a precision that the benchmark's device lacks.

    What device `auto` is, only the machine knows on which a job runs; the job refuses then.
    """
    asked = {item.name: getattr(benchmark.numerics, item.name) for item in fields(StageNumerics)}
    for stage, numerics in asked.items():
        if numerics == DEFAULT_NUMERICS:
            continue
        if not _has_jobs(benchmark, stage):
            raise UserError(f"numerics.{stage}: this benchmark has no job of this stage; leave it out")
        if numerics.precision == "tf32" and benchmark.execution.device == "cpu":
            raise UserError(
                f"numerics.{stage}.precision: tf32 is a way of NVIDIA GPUs to multiply, and execution.device is cpu; "
                "choose float32"
            )


def _has_jobs(benchmark: Benchmark, stage: str) -> bool:
    """Return whether a job of a stage runs a network. Every benchmark samples and extracts."""
    if stage == "train":
        return bool(benchmark.trained_models() or benchmark.trained_classifiers())
    return stage != "bound" or bool(benchmark.bounded_models())
