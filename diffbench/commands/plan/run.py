"""The text of a plan, and the command that makes it."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from diffbench.base.errors import UserError
from diffbench.base.numerics import Precision
from diffbench.base.plugins import nearest
from diffbench.base.stage_names import STAGES
from diffbench.benchmark.benchmark import Benchmark
from diffbench.benchmark.load import load_benchmark
from diffbench.commands.plan.advice import advice
from diffbench.commands.plan.data import Known, known_data
from diffbench.commands.plan.devices import DEVICES, HERE, is_here, published, with_precision
from diffbench.commands.plan.disk import checkpoints_of, disk_of
from diffbench.commands.plan.estimate import seconds_in_all
from diffbench.commands.plan.measured import measured_speed
from diffbench.commands.plan.memory import memory_lines, memory_of
from diffbench.commands.plan.models import ModelPlan, plan_models
from diffbench.commands.plan.scaled import Question, asked, scaled_plans
from diffbench.commands.plan.schedule import side_by_side
from diffbench.commands.plan.speed import Speed
from diffbench.commands.plan.words import jobs_beside, scaled, sized, spoken
from diffbench.commands.plan.work import Work, works_of

ALWAYS = ("train", "sample", "bound")
"""Stages whose number of jobs is said even if there are none."""

ALONE = 0.8
"""With less than that share of the time, a process did not have a core of its own."""


@dataclass(frozen=True)
class Asked:
    """What a plan is asked for. workers: the number of jobs that run at the same time; None as in the workflow.

    device: "here" and "cpu" are measured, others are named in devices.py, and a table may name several. devices:
    numbers of them, as in "1,8,64". precision: instead of the file's. history: of measurements on named devices.
    """

    workers: int | None = None
    device: str = "here"
    devices: str | None = None
    precision: str | None = None
    history: Path | None = None


def plan_of_files(configs: Sequence[Path], question: Asked) -> str:
    """Return the plan of a benchmark's file, or a table of several files or several devices.

    Raises: UserError if a file has a mistake, its data cannot be counted, or the device is not known.
    """
    precision = _precision(question.precision)
    named = all(name not in HERE for name in question.device.split(","))
    if not named and (question.precision, question.history) != (None, None):
        option = "--precision" if question.precision is not None else "--history"
        raise UserError(f"{option}: is for a device by its name; {nearest(question.device, DEVICES)}")
    if question.devices is None and len(configs) == 1 and "," not in question.device:
        return plan_of_file(configs[0], question.workers, question.device, precision, question.history)
    if question.workers is not None:
        raise UserError("--workers: a table is of one job at a time on all devices; leave it out, or give one FILE")
    return scaled_plans(configs, asked(question.device, question.devices, precision, question.history))


def _precision(word: str | None) -> Precision | None:
    allowed: dict[str, Precision] = {name: name for name in get_args(Precision)}
    if word is not None and word not in allowed:
        raise UserError(f"--precision {word}: not known; {nearest(word, allowed)}")
    return None if word is None else allowed[word]


def plan_of_file(
    config: Path,
    workers: int | None = None,
    device: str = "here",
    precision: Precision | None = None,
    history: Path | None = None,
) -> str:
    """Return the plan of a benchmark's file.

    workers: the number of jobs that run at the same time; None for as many as a CPU has cores for, and one on a GPU.
    The others are those of `Asked`. Raises: UserError as plan_of_files.
    """
    here = is_here(device)
    # All imports are done, and nothing else yet: a job of a stage has the same start.
    start_up = time.process_time()
    benchmark = with_precision(load_benchmark(config), precision)
    known = known_data(benchmark)
    if not here:
        speed = Question((device,), (1,), precision, history).speed(device, benchmark)
        said = memory_lines(benchmark, known, published(device).memory * 1e9)
        return plan(benchmark, known, speed, workers or 1, said)
    kind = benchmark.execution.device if device == "here" else device
    side = workers or side_by_side(kind, benchmark.execution.threads)
    speed = measured_speed(benchmark, known, workers=side, device=kind, start_up=start_up)
    return plan(benchmark, known, speed, side, memory_lines(benchmark, known, memory_of(kind) / side))


def plan(benchmark: Benchmark, known: Known, speed: Speed, workers: int, memory: Sequence[str] = ()) -> str:
    """Return the plan as text. workers: the number of jobs that run at the same time. memory: lines about it."""
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
        *memory,
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
    validated = any(item.validation_evaluations for item in plans)
    heads = ["parameters", "FLOP/row", "train rows", "sample rows", "bound rows", "FLOP"]
    if validated:
        heads.insert(3, "valid. rows")
    width = max(20, *(len(item.name) + 1 for item in plans))
    lines = [f"{'model':<{width}}" + "".join(f"{head:>15}" for head in heads)]
    for item in plans:
        counted = [item.train_evaluations, item.sample_evaluations, item.bound_evaluations]
        if validated:
            counted.insert(1, item.validation_evaluations)
        cells = [f"{item.parameters:,}", scaled(item.flops), *(f"{rows:,}" for rows in counted)]
        lines.append(f"{item.name:<{width}}" + "".join(f"{cell:>15}" for cell in (*cells, scaled(item.total_flops))))
    return [*lines, f"{'all':<{width}}{scaled(sum(item.total_flops for item in plans)):>{15 * len(heads)}}"]


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
