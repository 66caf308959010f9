"""The expected time of benchmarks of given sizes on this machine, as `diffbench plan` counts it."""

from collections.abc import Callable

from diffbench.benchmark.benchmark import Benchmark
from diffbench.commands.new.facts import Facts
from diffbench.commands.new.sizes import Sizes
from diffbench.commands.plan.data import Known
from diffbench.commands.plan.estimate import seconds_in_all
from diffbench.commands.plan.measured import measured_speed
from diffbench.commands.plan.speed import Speed


class Prices:
    """Expected seconds of sizes. The speed is that of the networks that were timed last.

    start_up: seconds in which a process of this machine starts.
    """

    def __init__(self, benchmark_of: Callable[[Sizes], Benchmark], facts: Facts, workers: int, start_up: float):
        self._benchmark_of, self._facts, self._workers, self._start_up = benchmark_of, facts, workers, start_up
        self._speed: Speed | None = None

    def time(self, sizes: Sizes) -> None:
        """Time the networks of these sizes, which takes about two seconds."""
        self._speed = measured_speed(
            self._benchmark_of(sizes), self._known(sizes), workers=self._workers, start_up=self._start_up
        )

    @property
    def source(self) -> str:
        """Where the speed comes from, in words, and whether other work took time meanwhile."""
        assert self._speed is not None
        return self._speed.source

    def seconds(self, sizes: Sizes) -> float:
        """Return the expected seconds from the command to the table."""
        assert self._speed is not None
        return seconds_in_all(self._benchmark_of(sizes), self._known(sizes), self._speed, self._workers)

    def _known(self, sizes: Sizes) -> Known:
        facts = self._facts
        shape = (facts.channels, sizes.side, sizes.side)
        return Known(shape, facts.num_classes, {"train": facts.num_train, "test": facts.num_test})
