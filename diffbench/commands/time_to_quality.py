"""`diffbench time-to-quality`: the training after which each model reaches a validation loss."""

from collections.abc import Mapping
from pathlib import Path

from diffbench.base.errors import UserError
from diffbench.base.plugins import nearest
from diffbench.base.provenance_file import read_provenance
from diffbench.base.records import Estimate
from diffbench.commands.measured_trainings import TrainingFolder, trainings_below
from diffbench.comparison.time_to_quality import (
    Reach,
    Training,
    difference,
    last_until,
    needs_less,
    reach,
    reached_by_all,
    why_incomparable,
)
from diffbench.stages._validation_file import read_validation

FILE = "validation.npz"
HEAD = ("training", "step", "images seen", "FLOPs", "seconds", "loss")


def time_to_quality(results: Path, target: float | None = None, models: tuple[str, ...] = ()) -> str:
    """Return a table of when each training reaches a target, and which of them is first.

    target: None for the lowest loss that all of them reach. models: empty for all.
    Raises: UserError if nothing was measured, or a name is not there.
    """
    folders = _chosen({one.name: one for one in _measured(results)}, models)
    trainings = {name: _training(one) for name, one in folders.items()}
    wanted = reached_by_all(trainings) if target is None else target
    found = {name: reach(training, wanted) for name, training in trainings.items()}
    order = sorted(found, key=lambda name: _place(trainings[name], found[name]))
    rows = [_row(folders[name], trainings[name], found[name]) for name in order]
    counts = sorted({one.losses.losses.shape[1] for one in trainings.values()})
    said = "the lowest that all reach" if target is None else "as asked"
    lines = [f"validation loss {wanted:.5g} ({said}): error of eps on {' or '.join(map(str, counts))} held-out images"]
    lines += _aligned([HEAD, *rows])
    lines += [_against(trainings[order[0]], trainings[name], found[order[0]], found[name]) for name in order[1:]]
    return "\n".join([*lines, "95 %, over held-out images, for these weights; another training is not covered"])


def _measured(results: Path) -> list[TrainingFolder]:
    found = [one for one in trainings_below(results) if (one.folder / FILE).is_file()]
    if not found:
        raise UserError(
            f"{results}: no validation losses below it; add `validation: {{every: 500}}` to the benchmark and run it"
        )
    return found


def _chosen(folders: Mapping[str, TrainingFolder], models: tuple[str, ...]) -> dict[str, TrainingFolder]:
    """Return the trainings of some models, each named as model or model/train<seed>."""
    known = {name.partition("/")[0] for name in folders} | set(folders)
    for model in models:
        if model not in known:
            raise UserError(f"--models: no validation losses of '{model}'; {nearest(model, sorted(known))}")
    wanted = set(models)
    return {name: one for name, one in folders.items() if not models or {name, name.partition("/")[0]} & wanted}


def _training(folder: TrainingFolder) -> Training:
    path = folder.folder / FILE
    return Training(folder.name, read_validation(path), read_provenance(path)["inputs"].get("held_out", ""))


def _place(training: Training, found: Reach) -> tuple[bool, int, float]:
    """Return by what trainings are sorted: the images that they needed; those that did not reach come last."""
    if found.surely is None:
        return True, 0, training.estimates[-1].value
    return False, int(training.losses.images_seen[found.surely]), training.estimates[found.surely].value


def _row(folder: TrainingFolder, training: Training, found: Reach) -> tuple[str, ...]:
    losses, last = training.losses, len(training.losses.step) - 1
    if found.surely is None:
        may = "" if found.earliest is None else f", perhaps from step {losses.step[found.earliest]:,} on"
        return (training.name, f"not by {losses.step[last]:,}{may}", "", "", "", _interval(training.estimates[last]))
    at, first = found.surely, found.surely if found.earliest is None else found.earliest
    step = f"{losses.step[at]:,}" if first == at else f"{losses.step[at]:,} (from {losses.step[first]:,} on)"
    speed = folder.images_per_second
    seconds = "" if speed is None else f"{losses.images_seen[at] / speed:.1f}"
    numbers = (f"{losses.images_seen[at]:,}", f"{losses.training_flops[at]:.3g}", seconds)
    return (training.name, step, *numbers, _interval(training.estimates[at]))


def _against(first: Training, other: Training, found: Reach, others: Reach) -> str:
    """Return a line on which of two trainings reaches the target with fewer images and FLOPs, and their difference."""
    pair = f"{first.name} against {other.name}"
    if (why := why_incomparable(first, other)) is not None:
        return f"{pair}: not comparable: {why}"
    if found.surely is None:
        return f"{pair}: neither reaches it"
    seen = int(first.losses.images_seen[found.surely])
    costs = {"images": "images_seen", "FLOPs": "training_flops"}
    needs = [
        _needs(word, needs_less(found, others, getattr(first.losses, name), getattr(other.losses, name)))
        for word, name in costs.items()
    ]
    at = last_until(other, seen)
    apart = "" if at is None else f"; {_signed(difference(other, first, at, found.surely))} by the other after {seen:,}"
    return f"{pair}: {', '.join(needs)}" + (f"{apart} images, paired by image" if apart else "")


def _needs(word: str, less: bool | None) -> str:
    return f"{word} not resolved" if less is None else f"{'fewer' if less else 'more'} {word}"


def _interval(one: Estimate) -> str:
    return f"{one.value:.4f} ({one.low:.4f} to {one.high:.4f})"


def _signed(one: Estimate) -> str:
    return f"{one.value:+.4f} ({one.low:+.4f} to {one.high:+.4f})"


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
