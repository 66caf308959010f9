"""A statement of a paper, decided on data whose answers are known."""

from dataclasses import dataclass

from diffbench.commands.oracle.data import spectra

SIZE = 28
VARIANCE = 0.25
SCHEDULES = ("linear", "cosine")
ALL = f"{len(spectra(2))} spectra"


@dataclass(frozen=True)
class Claim:
    """One statement: what was measured, the threshold, and whether it holds and should.

    data: spectrum, schedule and whatever else the statement was tried on.
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
