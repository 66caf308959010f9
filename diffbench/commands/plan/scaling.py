"""How long the jobs of a benchmark take if each is shared by several devices, and what the sharing loses.

A training step is shared by images. Each device then does less, but the host needs as long as before to start the
operations, and the gradients must be added up: a ring sends 2 (N - 1) / N times their bytes over each link. Samples,
features and bounds are shared by micro-batches, which loses only what is idle in the last round.
"""

from collections.abc import Sequence

from diffbench.base.errors import UserError
from diffbench.benchmark.benchmark import Benchmark
from diffbench.commands.plan.devices import Published
from diffbench.commands.plan.speed import SNAKEMAKE, Speed
from diffbench.commands.plan.work import Evaluations, Work

OF_MACHINE = 8
"""The devices of a machine."""

LINK = 0.7
"""The share of a link's published bandwidth that is assumed."""

OVERLAP, BACKWARD_SHARE = 0.8, 2 / 3
"""The share of the exchange that is assumed to be hidden behind the backward pass, and that pass's share of a step."""

GRADIENT = 4
"""Bytes of a number of the gradient."""


def seconds_in_all_on(works: Sequence[Work], speed: Speed, device: Published, count: int) -> dict[str, float]:
    """Return the seconds of all jobs by stage, one job after another, each on `count` devices; "" is Snakemake's."""
    found = {"": SNAKEMAKE * speed.start_up}
    for work in works:
        stage = work.stages[0]
        found[stage] = found.get(stage, 0.0) + seconds_on(work, speed, device, count)
    return found


def seconds_on(work: Work, speed: Speed, device: Published, count: int) -> float:
    """Return how long a job takes on a number of devices."""
    stage, seconds = work.stages[0], speed.beside(work)
    for item in work.evaluations:
        if item.training and stage == "train":
            seconds += item.calls * step_seconds(item, speed, device, count)
        else:
            rounds = -(-item.batches // count)
            seconds += item.calls * speed.seconds_of_call(item, stage) * rounds / item.batches
    return seconds


def step_seconds(item: Evaluations, speed: Speed, device: Published, count: int) -> float:
    """Return how long a training step takes whose batch is shared by devices."""
    computed = speed.seconds_of_call(item, "train", count)
    exchanged = exchange_seconds(item.parameters, device, count)
    hidden = min(OVERLAP * exchanged, BACKWARD_SHARE * computed)
    return computed + exchanged - hidden


def exchange_seconds(parameters: int, device: Published, count: int) -> float:
    """Return how long the gradients of a step are on the way between devices."""
    link = device.within if count <= OF_MACHINE else min(device.within, device.beyond)
    return 2 * (count - 1) / count * GRADIENT * parameters / (LINK * link * 1e9)


def require_shares(benchmark: Benchmark, counts: Sequence[int]) -> None:
    """Raise UserError naming a training whose batch cannot be shared equally by a number of devices."""
    trained = dict.fromkeys(name for name, _ in benchmark.trained_models())
    batches = {f"models.{name}": benchmark.models[name].training.batch_size for name in trained}
    for name, _ in benchmark.trained_classifiers():
        batches[f"classifiers.{name}"] = benchmark.classifiers[name].training.batch_size
    for count in counts:
        for name, batch in batches.items():
            if batch % count:
                fitting = [number for number in range(1, batch + 1) if batch % number == 0]
                near = sorted(fitting, key=lambda number: abs(number - count))[:3]
                raise UserError(
                    f"--devices {count}: does not divide the batch_size {batch} of {benchmark.name}'s {name}; "
                    f"{', '.join(map(str, sorted(near)))} do"
                )
