"""Times of repeated work, of one piece or of several in turn, and the peak memory meanwhile."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from diffbench.commands.steps import synchronise
from diffbench.stages._run_record import peak_memory_mib

Round = Callable[[], float]
"""Does some work and returns the seconds of a step of it."""

SHORTEST_ROUND = 0.05
"""Seconds that a round lasts at least: shorter steps are repeated in it, so that a GPU need not wait for each."""

FEWEST_ROUNDS = 3


@dataclass(frozen=True)
class Times:
    """The seconds of a step in each round."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.seconds)

    @property
    def spread(self) -> tuple[float, float]:
        """The quartiles, between which the middle half of the rounds is."""
        return quartiles(self.seconds)


def quartiles(values: Sequence[float]) -> tuple[float, float]:
    """Return the first and the third quartile."""
    if len(values) < 2:
        return values[0], values[0]
    first, _, third = statistics.quantiles(values, n=4, method="inclusive")
    return first, third


class Clock:
    """A clock for work on a device.

    It counts processor seconds of a process with one thread on a CPU, because other processes then take nothing from
    the result but their share of caches. It counts seconds of the wall otherwise.
    """

    def __init__(self, device: torch.device, threads: int):
        self.counts_processor = device.type == "cpu" and threads == 1
        self._device = device

    def now(self) -> float:
        """Return the seconds so far, after all work on the device is done."""
        synchronise(self._device)
        return time.process_time() if self.counts_processor else time.perf_counter()

    def round_of(self, step: Callable[[], object]) -> Round:
        """Return a round of a step, which repeats the step if it is short. Two steps are taken here to warm up."""
        step()
        started = self.now()
        step()
        repeats = max(1, round(SHORTEST_ROUND / max(1e-6, self.now() - started)))

        def round_() -> float:
            began = self.now()
            for _ in range(repeats):
                step()
            return (self.now() - began) / repeats

        return round_


def in_turn(*rounds: Round, seconds: float, fewest: int = FEWEST_ROUNDS) -> list[Times]:
    """Return the times of rounds that take turns (A B A B ...) until the seconds are over, and at least `fewest`."""
    found: list[list[float]] = [[] for _ in rounds]
    started = time.perf_counter()
    while len(found[-1]) < fewest or time.perf_counter() - started < seconds:
        for times, round_ in zip(found, rounds, strict=True):
            times.append(round_())
    return [Times(tuple(times)) for times in found]


RESET = Path("/proc/self/clear_refs")
"""Linux forgets a process's peak of memory when a 5 is written here."""


class Peak:
    """The peak of memory since it was made: of the process on a CPU, of the tensors on a GPU.

    Where the system cannot forget the peak of a process, it is the one since the process started.
    """

    def __init__(self, device: torch.device):
        self._device = device
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
            return
        try:
            RESET.write_text("5")
        except OSError:
            pass

    def mib(self) -> float:
        """Return the peak in MiB."""
        if self._device.type == "cuda":
            return round(torch.cuda.max_memory_allocated(self._device) / 2**20, 1)
        return peak_memory_mib()
