"""The job of the stage `bound`: a model, a split, and how much of both is evaluated."""

from dataclasses import dataclass, field
from typing import ClassVar

from diffbench.base.names import SplitName
from diffbench.base.numerics import DEFAULT_NUMERICS, Numerics
from diffbench.jobs.job import OMITTED, Job
from diffbench.jobs.model import Trained


@dataclass(frozen=True)
class Evaluated:
    """The part of a bound that is evaluated.

    timesteps: how many terms are evaluated per image, in strata over the chain; None evaluates all. num_images: how
    many images are evaluated, evenly spread over the split; None takes all. reconstructions: how many images have their
    progressive reconstructions kept. micro_batch: how many images the network evaluates at once.
    """

    timesteps: int | None
    num_images: int | None
    reconstructions: int
    micro_batch: int
    seed: int


@dataclass(frozen=True, kw_only=True)
class BoundJob(Job, Trained):
    """Evaluate the variational bound of a model on a split."""

    stages: ClassVar[tuple[str, ...]] = ("bound",)

    bound: Evaluated
    split: SplitName
    threads: int
    numerics: Numerics = field(default=DEFAULT_NUMERICS, metadata=OMITTED)
