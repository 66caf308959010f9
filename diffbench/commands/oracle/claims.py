"""A statement of a paper that is tested on data for which the exact results are known."""

from dataclasses import dataclass

from diffbench.commands.oracle.data import spectra

SIZE = 28
VARIANCE = 0.25
SCHEDULES = ("linear", "cosine")
ALL = f"{len(spectra(2))} spectra"


@dataclass(frozen=True)
class Claim:
    """One statement, what was measured, the threshold, whether it holds, and whether it is expected to hold.

    data: the spectrum, the schedule and other conditions of the test.
    """

    claim: str
    data: str
    statement: str
    measured: str
    threshold: str
    holds: bool
    expected: bool

    @property
    def as_expected(self) -> bool:
        """Whether the verdict is the expected one."""
        return self.holds == self.expected
