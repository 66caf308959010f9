"""`diffbench tensorboard`: training logs and validation losses as files of events, which TensorBoard shows."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from diffbench.base.errors import UserError
from diffbench.commands.measured_trainings import TrainingFolder, trainings_below
from diffbench.figures._logs import numbers_of
from diffbench.stages._figure_data import read_csv
from diffbench.stages._validation_file import read_validation

INSTALL = "uv sync --extra tensorboard, or pip install 'diffbench[tensorboard]'"

Point = tuple[str, float, int]
"""The tag of a curve, a value and its training step."""


def tensorboard(results: Path, out: Path) -> str:
    """Write a folder of events for each training below `results`, and return a line that says how to look at them.

    Raises: UserError if tensorboard is not installed, `out` exists, or there is no training.
    """
    writer = _writer_class()
    if out.exists():
        raise UserError(f"--out: {out} exists, and nothing is overwritten; name another folder")
    # Everything is read first, so that a damaged file leaves no half of an export.
    trainings = {one.name: list(_points(one)) for one in trainings_below(results)}
    for name, points in trainings.items():
        events = writer(str(out / name.replace(" ", "_")))
        for tag, value, step in points:
            # Equal times, since no artifact says when a step was done; TensorBoard orders by step.
            events.add_scalar(tag, value, global_step=step, walltime=0.0)
        events.close()
    count = f"{len(trainings)} training" + ("s" if len(trainings) > 1 else "")
    return f"written to {out}: {count}, {sum(map(len, trainings.values())):,} values; tensorboard --logdir {out}"


def _writer_class() -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise UserError(f"the export needs tensorboard, which is not installed: {INSTALL}") from None
    return SummaryWriter


def _points(training: TrainingFolder) -> Iterator[Point]:
    """Yield the values of a training's log and of its validation losses. Cells that are no numbers are left out."""
    log = read_csv(training.folder / "log.csv")
    if "step" not in log:
        raise UserError(f"{training.folder / 'log.csv'}: no column 'step'; not a training log")
    for column in log.columns.drop("step"):
        numbers = numbers_of(log, str(column))
        for step, value in zip(log["step"].tolist(), numbers.tolist(), strict=True):
            if math.isfinite(value):
                yield f"{_group(str(column))}/{column}", float(value), int(step)
    path = training.folder / "validation.npz"
    if path.is_file():
        yield from _validation_points(path)


def _group(column: str) -> str:
    """Return the section of TensorBoard's page in which a column of the log is shown."""
    return "accuracy" if "accuracy" in column else "training"


def _validation_points(path: Path) -> Iterator[Point]:
    """Yield the validation loss, the ends of its interval, and the loss at each timestep."""
    losses = read_validation(path)
    for step, one in zip(losses.step.tolist(), losses.estimates, strict=True):
        yield from (("validation/loss", one.value, step), ("validation/low", one.low, step))
        yield "validation/high", one.high, step
    for place, t in enumerate(losses.timesteps.tolist()):
        estimates = losses.at_timesteps(slice(place, place + 1))
        yield from (
            (f"validation_by_timestep/t_{t}", one.value, step)
            for step, one in zip(losses.step.tolist(), estimates, strict=True)
        )
