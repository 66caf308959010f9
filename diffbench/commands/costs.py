"""`diffbench costs`: the time and memory that each stage of a finished run took."""

import json
from dataclasses import dataclass
from pathlib import Path

from diffbench.base.errors import UserError
from diffbench.base.stage_names import STAGES
from diffbench.commands.missing import way_to


@dataclass(frozen=True)
class StageCost:
    """The cost of several jobs: seconds of work, CPU seconds of start-up, and the memory in MiB of the largest job."""

    jobs: int = 0
    work: float = 0.0
    startup: float = 0.0
    memory: float = 0.0

    def __add__(self, other: "StageCost") -> "StageCost":
        """Return the cost of both together."""
        return StageCost(
            self.jobs + other.jobs,
            self.work + other.work,
            self.startup + other.startup,
            max(self.memory, other.memory),
        )


def costs(logs: Path) -> str:
    """Return a small table of the run records in a folder: jobs, seconds of work and of start-up, by stage.

    Raises: UserError if there are no run records, or a file is not one.
    """
    stages: dict[str, StageCost] = {}
    for path in sorted(logs.rglob("*.run.json")):
        stage, cost = _of_job(path)
        stages[stage] = stages.get(stage, StageCost()) + cost
    if not stages:
        raise UserError(f"{logs}: no run records below it; name a folder of results' logs, or {way_to(logs)}")
    lines = [f"{'stage':<10}{'jobs':>6}{'work s':>10}{'start-up s':>12}{'peak MiB':>10}"]
    lines += [_line(stage, stages[stage]) for stage in sorted(stages, key=position)]
    return "\n".join([*lines, _line("all", sum(stages.values(), StageCost()))])


def _of_job(path: Path) -> tuple[str, StageCost]:
    try:
        record = json.loads(path.read_text())
        stage, *numbers = (record[key] for key in ("stage", "seconds", "startup_cpu_seconds", "peak_memory_mib"))
        return str(stage), StageCost(1, *map(float, numbers))
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{path}: not a run record; remove it") from None


def _line(name: str, cost: StageCost) -> str:
    return f"{name:<10}{cost.jobs:>6}{cost.work:>10.1f}{cost.startup:>12.1f}{cost.memory:>10.0f}"


def position(stage: str) -> int:
    """Return a stage's place in the order of stages; an unknown one is last."""
    return STAGES.index(stage) if stage in STAGES else len(STAGES)
