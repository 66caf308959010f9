"""The training that models need to reach a validation loss, with intervals, and pairs of models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from diffbench.base.records import Estimate
from diffbench.diffusion.validation_loss import ValidationLosses, mean_of


@dataclass(frozen=True)
class Training:
    """A training with its validation losses. held_out: the hash of the images on which they were measured."""

    name: str
    losses: ValidationLosses
    held_out: str

    @cached_property
    def estimates(self) -> list[Estimate]:
        """The validation loss after each measurement."""
        return self.losses.estimates


@dataclass(frozen=True)
class Reach:
    """Between which measurements a training reaches a loss; None if it does not by its end.

    earliest: the first at which the interval of the loss is not wholly above the target. surely: the first at which it
    is wholly at or below it, which counts as reached.
    """

    earliest: int | None
    surely: int | None


def reach(training: Training, target: float) -> Reach:
    """Return between which measurements a training reaches a target."""
    found = training.estimates
    return Reach(
        next((place for place, one in enumerate(found) if one.low <= target), None),
        next((place for place, one in enumerate(found) if one.high <= target), None),
    )


def reached_by_all(trainings: Mapping[str, Training]) -> float:
    """Return the lowest loss that every training has surely reached at some measurement."""
    return max(min(one.high for one in training.estimates) for training in trainings.values())


def why_incomparable(a: Training, b: Training) -> str | None:
    """Return why the losses of two trainings do not compare; None if they do."""
    if a.held_out != b.held_out or a.losses.losses.shape[1] != b.losses.losses.shape[1]:
        return "they were measured on other held-out images"
    own, other = (one.losses.alphas.tolist() + one.losses.sigmas.tolist() for one in (a, b))
    return None if own == other else "their noise levels differ (schedule, or number of timesteps)"


def needs_less(a: Reach, b: Reach, cost_a: Sequence[float], cost_b: Sequence[float]) -> bool | None:
    """Return whether a training reaches its target at a lower cost than another; None if that is not resolved.

    cost_a, cost_b: the cost until each measurement of theirs. It is resolved if the intervals of the two do not meet.
    """
    if _wholly_below(a, b, cost_a, cost_b):
        return True
    return False if _wholly_below(b, a, cost_b, cost_a) else None


def _wholly_below(a: Reach, b: Reach, cost_a: Sequence[float], cost_b: Sequence[float]) -> bool:
    if a.surely is None:
        return False
    # A training that did not reach it needs more than all that it had.
    least = cost_b[-1] if b.earliest is None else cost_b[b.earliest]
    return cost_a[a.surely] < least or (b.earliest is None and cost_a[a.surely] <= least)


def difference(a: Training, b: Training, at_a: int, at_b: int) -> Estimate:
    """Return the loss of a minus that of b at a measurement of each, paired by image: both have the same noise."""
    return mean_of(a.losses.by_image[at_a] - b.losses.by_image[at_b])


def last_until(training: Training, images_seen: int) -> int | None:
    """Return the last measurement of a training after at most so many images; None if there is none."""
    seen = [place for place, count in enumerate(training.losses.images_seen.tolist()) if count <= images_seen]
    return seen[-1] if seen else None
