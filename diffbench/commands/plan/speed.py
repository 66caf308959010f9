"""The speed of a machine: how fast it trains and samples, and how long a process needs to start."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

from diffbench.commands.plan.work import Evaluations, Work

START_UP_SECONDS = 2.0
"""Seconds of a process for its interpreter and the import of torch, if they are not measured."""

BESIDE = {
    "prepare": 0.9,
    "shrink": 0.1,
    "fit": 1.8,
    "train": 2.2,
    "convert": 1.5,
    "sample": 1.8,
    "bound": 1.8,
    "trace": 1.8,
    "extract": 1.8,
    "score": 0.25,
    "plot": 0.65,
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

    def over(self, share: float) -> "Rates":
        """Return the rates of the whole, of which these are a share."""
        return Rates(self.sampling / share, self.training / share)


@dataclass(frozen=True)
class Speed:
    """The speed of one job on a machine.

    source: where it comes from, in words. general: of any network. own: of networks that were timed themselves, by the
    key of the network. of_stage: the operations per second of stages that have another speed. seconds_of_kernel: the
    least time between two operations that torch starts, if it is not part of the rates. start_up: seconds in which a
    process starts. share: the part of the time in which the processes that were timed had a core; the rest went to
    other work.
    """

    source: str
    general: Rates
    own: Mapping[str, Rates] = field(default_factory=dict)
    of_stage: Mapping[str, float] = field(default_factory=dict)
    seconds_of_kernel: float = 0.0
    start_up: float = START_UP_SECONDS
    share: float = 1.0

    def without_own(self) -> "Speed":
        """Return the general speed, for a search over other networks than those that were timed."""
        return dataclasses.replace(self, own={})

    def alone(self) -> "Speed":
        """Return the speed if no other work took a part of the time."""
        own = {network: rates.over(self.share) for network, rates in self.own.items()}
        return dataclasses.replace(self, general=self.general.over(self.share), own=own, share=1.0)

    def seconds(self, work: Work) -> float:
        """Return how long a job takes, the start of its process included."""
        computed = sum(item.calls * self.seconds_of_call(item, work.stages[0]) for item in work.evaluations)
        return self.beside(work) + computed

    def beside(self, work: Work) -> float:
        """Return what a job takes besides its networks."""
        started = self.start_up * (SNAKEMAKE_JOB + sum(BESIDE[stage] for stage in work.stages))
        return started + work.pictures * SECONDS_OF_PICTURE

    def seconds_of_call(self, evaluations: Evaluations, stage: str, devices: int = 1) -> float:
        """Return how long a call of a network takes whose images are shared by devices.

        A device waits for the host if the host needs longer to start a call's operations than the device to do them.
        """
        rates = self.own.get(evaluations.network, self.general)
        rate = rates.training if evaluations.training else rates.sampling
        if evaluations.network not in self.own:
            rate = self.of_stage.get(stage, rate)
        return max(evaluations.flops / devices / rate, evaluations.kernels * self.seconds_of_kernel)
