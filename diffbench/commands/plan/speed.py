"""The speed of a machine: how fast it trains and samples, and how long a process needs to start."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

from diffbench.commands.plan.work import Evaluations, Work

START_UP_SECONDS = 2.0
"""Seconds of a process for its interpreter and the import of torch, if they are not measured."""

BESIDE = {
    "prepare": 0.9,
    "shrink": 0.3,
    "fit": 1.8,
    "train": 2.2,
    "convert": 1.5,
    "sample": 1.8,
    "bound": 1.8,
    "extract": 1.8,
    "score": 0.25,
    "plot": 0.8,
    "tabulate": 0.3,
}
"""What each stage takes besides its networks, in start-ups: imports, reading and hashing of inputs, metrics, drawing.

They are CPU seconds of run records on 2 cores, over those of a training's start. Scores and tables import no torch."""

SNAKEMAKE, SNAKEMAKE_JOB = 3.0, 0.08
"""What Snakemake takes before the first job and after the last, and beside each job, in start-ups."""

SECONDS_OF_PICTURE = 0.004
"""Seconds in which a picture of about 500 x 375 pixels is decoded and cropped."""


@dataclass(frozen=True)
class Rates:
    """Floating-point operations per second in sampling, and in training."""

    sampling: float
    training: float


@dataclass(frozen=True)
class Speed:
    """The speed of one job on a machine.

    source: where it comes from, in words. general: of any network. own: of networks that were timed themselves, by the
    key of the network. seconds_of_kernel: the least time between two operations that torch starts, if it is not part of
    the rates. start_up: seconds in which a process starts.
    """

    source: str
    general: Rates
    own: Mapping[str, Rates] = field(default_factory=dict)
    seconds_of_kernel: float = 0.0
    start_up: float = START_UP_SECONDS

    def without_own(self) -> "Speed":
        """Return the general speed, for a search over other networks than those that were timed."""
        return dataclasses.replace(self, own={})

    def seconds(self, work: Work) -> float:
        """Return how long a job takes, the start of its process included."""
        beside = self.start_up * (SNAKEMAKE_JOB + sum(BESIDE[stage] for stage in work.stages))
        return beside + work.pictures * SECONDS_OF_PICTURE + sum(map(self.seconds_of_calls, work.evaluations))

    def seconds_of_calls(self, evaluations: Evaluations) -> float:
        """Return how long the calls of a network take.

        A device waits for the host if the host needs longer to start a call's operations than the device to do them.
        """
        rates = self.own.get(evaluations.network, self.general)
        computed = evaluations.flops / (rates.training if evaluations.training else rates.sampling)
        return evaluations.calls * max(computed, evaluations.kernels * self.seconds_of_kernel)
