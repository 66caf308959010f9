"""The text of a plan, and the command that makes it."""

import time
from collections import Counter
from pathlib import Path

from diffbench.base.stage_names import STAGES
from diffbench.benchmark.benchmark import Benchmark
from diffbench.benchmark.load import load_benchmark
from diffbench.commands.plan.advice import advice
from diffbench.commands.plan.data import Known, known_data
from diffbench.commands.plan.devices import device_speed, is_here
from diffbench.commands.plan.disk import checkpoints_of, disk_of
from diffbench.commands.plan.estimate import seconds_in_all
from diffbench.commands.plan.measured import measured_speed
from diffbench.commands.plan.models import ModelPlan, plan_models
from diffbench.commands.plan.schedule import side_by_side
from diffbench.commands.plan.speed import Speed
from diffbench.commands.plan.words import jobs_beside, scaled, sized, spoken
from diffbench.commands.plan.work import Work, works_of

ALWAYS = ("train", "sample", "bound")
"""Stages whose number of jobs is said even if there are none."""

ALONE = 0.8
"""With less than that share of the time, a process did not have a core of its own."""


def plan_of_file(config: Path, workers: int | None = None, device: str = "here") -> str:
    """Return the plan of a benchmark's file.

    workers: the number of jobs that run at the same time; None for as many as a CPU has cores for, and one on a GPU.
    device: "here" and "cpu" are measured, others are named in devices.py.
    Raises: UserError if the file has a mistake, its data cannot be counted, or the device is not known.
    """
    here = is_here(device)
    # All imports are done, and nothing else yet: a job of a stage has the same start.
    start_up = time.process_time()
    benchmark = load_benchmark(config)
    known = known_data(benchmark)
    if not here:
        speed, side = device_speed(device), workers or 1
        return plan(benchmark, known, speed, side)
    kind = benchmark.execution.device if device == "here" else device
    side = workers or side_by_side(kind, benchmark.execution.threads)
    speed = measured_speed(benchmark, known, workers=side, device=kind, start_up=start_up)
    return plan(benchmark, known, speed, side)


def plan(benchmark: Benchmark, known: Known, speed: Speed, workers: int) -> str:
    """Return the plan as text. workers: the number of jobs that run at the same time."""
    works = works_of(benchmark, known)
    total = seconds_in_all(benchmark, known, speed, workers)
    jobs = job_counts(benchmark, known)
    lines = [
        *_table(plan_models(benchmark, known)),
        "",
        "rows are network evaluations of one image",
        _data(known),
        f"jobs: {sum(jobs.values())}: " + ", ".join(f"{count} {stage}" for stage, count in jobs.items()),
        _disk(benchmark, known, workers),
        _speed(speed),
        "work: " + ", ".join(f"{name} {spoken(seconds)}" for name, seconds in _by_stage(works, speed).items()),
        *advice(benchmark, known, speed, workers),
        *_other_work(benchmark, known, speed, workers),
        f"in all about {spoken(total)} with {jobs_beside(workers)}",
    ]
    return "\n".join(lines)


def _other_work(benchmark: Benchmark, known: Known, speed: Speed, workers: int) -> list[str]:
    """Return a line about other work, which slowed the measurement and will slow the run; none if there was little."""
    if speed.share > ALONE:
        return []
    alone = spoken(seconds_in_all(benchmark, known, speed.alone(), workers))
    return [f"other work on this machine took {1 - speed.share:.0%} of the time of the measurement; without it {alone}"]


def _table(plans: list[ModelPlan]) -> list[str]:
    heads = ("parameters", "FLOP/row", "train rows", "sample rows", "bound rows", "FLOP")
    width = max(20, *(len(item.name) + 1 for item in plans))
    lines = [f"{'model':<{width}}" + "".join(f"{head:>15}" for head in heads)]
    for item in plans:
        lines.append(
            f"{item.name:<{width}}{item.parameters:>15,}{scaled(item.flops):>15}{item.train_evaluations:>15,}"
            f"{item.sample_evaluations:>15,}{item.bound_evaluations:>15,}{scaled(item.total_flops):>15}"
        )
    return [*lines, f"{'all':<{width}}{scaled(sum(item.total_flops for item in plans)):>90}"]


def _data(known: Known) -> str:
    channels, height, width = known.shape
    train, test = (known.num_images[split] for split in ("train", "test"))
    counted = f"data: {train:,} training and {test:,} test images of {height}x{width}x{channels}"
    return counted + (" (the data are not here yet: the published numbers are assumed)" if known.assumed else "")


def job_counts(benchmark: Benchmark, known: Known) -> dict[str, int]:
    """Return the number of jobs of each stage. A job that makes a table and its figure counts as a table."""
    found = Counter(work.stages[0] for work in works_of(benchmark, known))
    return {stage: found[stage] for stage in STAGES if stage in ALWAYS or found[stage]}


def _disk(benchmark: Benchmark, known: Known, workers: int) -> str:
    kinds = disk_of(benchmark, known)
    named = ", ".join(f"{name} {sized(size)}" for name, size in kinds.items() if size)
    line = f"disk: {sized(sum(kinds.values()))}: {named}"
    checkpoints = checkpoints_of(benchmark, known, workers)
    return line + (f"; while it trains, {sized(checkpoints)} of checkpoints in .cache" if checkpoints else "")


def _speed(speed: Speed) -> str:
    rates = speed.general
    training, sampling = (f"{scaled(rate)}FLOP/s" for rate in (rates.training, rates.sampling))
    both = training if training == sampling else f"{training} in training and {sampling} in sampling"
    return f"speed: {both} a job, {speed.source}"


def _by_stage(works: list[Work], speed: Speed) -> dict[str, float]:
    """Return the seconds of all jobs by stage; those of a table's figure are the table's."""
    found: dict[str, float] = {stage: 0.0 for stage in STAGES}
    for work in works:
        found[work.stages[0]] += speed.seconds(work)
    return {stage: seconds for stage, seconds in found.items() if seconds >= 0.5}
