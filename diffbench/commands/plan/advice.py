"""Which key of a benchmark dominates its cost, and what a smaller value would give: the plan is made again with it."""

import dataclasses
from collections.abc import Callable, Mapping

from diffbench.benchmark.benchmark import Benchmark
from diffbench.commands.plan.counts import bound_images
from diffbench.commands.plan.data import Known
from diffbench.commands.plan.estimate import seconds_in_all
from diffbench.commands.plan.speed import Speed
from diffbench.commands.plan.words import spoken
from diffbench.commands.plan.work import Work, works_of

DOMINANT = 0.4
"""The share of the work from which a key is named."""

TIMESTEPS, IMAGES = 40, 500
"""A bound of that many terms an image and that many images, as the default benchmark has, is exact to about 1 %."""

LONG = 3600.0
"""Seconds from which a second key is named."""

FEWEST_STEPS = 100
"""Shorter trainings are not proposed."""

Smaller = tuple[Benchmark, str]
"""A benchmark with a smaller value, and what was changed in it."""


def advice(benchmark: Benchmark, known: Known, speed: Speed, workers: int) -> list[str]:
    """Return a line about the key that dominates the work, and what a smaller value would give; none if none does.

    If the run would still be long, a second line says the same of what dominates then.
    """
    lines: list[str] = []
    changed: Benchmark | None = benchmark
    while changed is not None and len(lines) < 2:
        if lines and seconds_in_all(changed, known, speed, workers) < LONG:
            break
        line, changed = _line(changed, known, speed, workers)
        lines += [f"then {line}" if lines else line] if line else []
    return lines


def _line(benchmark: Benchmark, known: Known, speed: Speed, workers: int) -> tuple[str, Benchmark | None]:
    """Return the line about a benchmark, and the benchmark with the smaller value; "" and None if there are none."""
    works = works_of(benchmark, known)
    seconds = {work.path: speed.seconds(work) for work in works}
    whole = sum(seconds.values())
    spent = {stage: _sum(works, seconds, stage) for stage in WORDS}
    stage = max(spent, key=lambda name: spent[name])
    if spent[stage] <= DOMINANT * whole:
        return "", None
    line = f"{WORDS[stage]} takes {spent[stage] / whole:.0%} of the work"
    smaller = SMALLER[stage](benchmark, known, works, seconds)
    if smaller is None:
        return line, None
    changed, key = smaller
    in_all = spoken(seconds_in_all(changed, known, speed, workers))
    return f"{line}; {key} makes it {in_all} in all", changed


WORDS = {"train": "training", "bound": "bound", "sample": "sampling", "extract": "extraction"}


def _sum(works: list[Work], seconds: Mapping[str, float], stage: str, subject: str | None = None) -> float:
    own = (work for work in works if stage in work.stages and subject in (None, work.subject))
    return sum(seconds[work.path] for work in own)


def _smaller_bound(
    benchmark: Benchmark, known: Known, works: list[Work], seconds: Mapping[str, float]
) -> Smaller | None:
    bound, changed = benchmark.bound, {}
    longest = max(benchmark.models[name].diffusion.timesteps for name, _ in benchmark.bounded_models())
    if min(bound.timesteps or longest, longest) > TIMESTEPS:
        changed["timesteps"] = TIMESTEPS
    most = max(bound_images(benchmark, split, known) for split in bound.splits)
    if most > IMAGES and (not changed or most > 10 * IMAGES):
        changed["num_images"] = IMAGES
    if not changed:
        return None
    key = ", ".join(f"{name}: {value}" for name, value in changed.items())
    smaller = dataclasses.replace(bound, **changed)
    return dataclasses.replace(benchmark, bound=smaller), f"`bound: {{{key}}}`"


def _smaller_training(
    benchmark: Benchmark, known: Known, works: list[Work], seconds: Mapping[str, float]
) -> Smaller | None:
    """Return trainings with so many steps that all of them together take about as long as the rest."""
    spent, whole = _sum(works, seconds, "train"), sum(seconds.values())
    share = min(0.5, max(whole - spent, 1.0) / spent)
    names = list(dict.fromkeys(work.subject for work in works if "train" in work.stages))
    heaviest = max(names, key=lambda name: _sum(works, seconds, "train", name))
    if _sum(works, seconds, "train", heaviest) > DOMINANT * whole:
        names = [heaviest]
    entries = {**benchmark.models, **benchmark.classifiers}
    steps = {name: _rounded(entries[name].training.steps * share) for name in names}
    if any(value >= entries[name].training.steps for name, value in steps.items()):
        return None

    def shortened(held: Mapping[str, object]) -> dict:
        return {
            name: dataclasses.replace(entry, training=dataclasses.replace(entry.training, steps=steps[name]))
            if name in steps
            else entry
            for name, entry in entries.items()
            if name in held
        }

    changed = dataclasses.replace(
        benchmark, models=shortened(benchmark.models), classifiers=shortened(benchmark.classifiers)
    )
    section = "models" if heaviest in benchmark.models else "classifiers"
    if len(names) == 1:
        return changed, f"`{section}.{heaviest}.training.steps: {steps[heaviest]}`"
    others = f"{len(names) - 1} others" if len(names) > 2 else "other"
    return changed, f"`training.steps: {steps[heaviest]}` of {heaviest}, and as much less for the {others},"


def _rounded(steps: float) -> int:
    """Return a number of steps with one digit that is not 0, or two."""
    whole = max(FEWEST_STEPS, int(steps))
    unit = 10 ** max(0, len(str(whole)) - 2)
    return whole // unit * unit


def _fewer_images(
    benchmark: Benchmark, known: Known, works: list[Work], seconds: Mapping[str, float]
) -> Smaller | None:
    if any(run.num_images < 4 for run in benchmark.runs):
        return None
    runs = tuple(dataclasses.replace(run, num_images=run.num_images // 2) for run in benchmark.runs)
    numbers = {run.num_images for run in runs}
    key = f"`num_images: {numbers.pop()}`" if len(numbers) == 1 else "half of the `num_images`"
    return dataclasses.replace(benchmark, runs=runs), f"{key} in `runs`"


SMALLER: dict[str, Callable[[Benchmark, Known, list[Work], Mapping[str, float]], Smaller | None]] = {
    "bound": _smaller_bound,
    "train": _smaller_training,
    "sample": _fewer_images,
    "extract": _fewer_images,
}
