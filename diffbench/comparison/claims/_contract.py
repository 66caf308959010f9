"""What a claim must have, and what it finds: an outcome with an effect, its interval and the test."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from diffbench.base.records import Estimate
from diffbench.comparison.claims._evidence import Evidence

HOLDS, FAILS, NOT_RESOLVED, NOT_TESTABLE = "holds", "fails", "not resolved", "not testable here"
OUTCOMES = (HOLDS, FAILS, NOT_RESOLVED, NOT_TESTABLE)


@dataclass(frozen=True)
class Finding:
    """The outcome of one test of a claim in one place.

    test: the statement about `effect` that was tested. on: the models, samplers and steps. bounds: the claim holds if
    the effect is between them; both are None if nothing was tested. method: how the interval was made. reason: why
    nothing could be tested.
    """

    outcome: str
    test: str
    on: str = ""
    effect: Estimate | None = None
    bounds: tuple[float, float] | None = None
    method: str = ""
    reason: str = ""


class Claim(ABC):
    """A statement of a paper and its test. A claim is a frozen dataclass without fields that inherits from this class.

    It is called with the evidence and yields a finding for each test in each place where the evidence allows it.
    """

    id: ClassVar[str]
    """The claim's name, such as "DDPM-1"."""
    source: ClassVar[str]
    """The paper, and the section or table."""
    statement: ClassVar[str]
    """The claim in one sentence."""
    published: ClassVar[str] = ""
    """The paper's own values; empty if it has no numbers."""
    published_holds: ClassVar[bool | None] = None
    """Whether the published values agree with the claim; None if there are none."""
    control: ClassVar[str] = ""
    """For a negative control, the published numbers that contradict the claim; empty for other claims."""

    @abstractmethod
    def __call__(self, evidence: Evidence) -> Iterable[Finding]:
        """Return what the evidence says about the claim."""


CONTRACT = Claim


def found_or(findings: Iterable[Finding | None], test: str, needs: str) -> Iterator[Finding]:
    """Yield the findings of one test without None; if none is left, the finding that says what the test needs."""
    found = [finding for finding in findings if finding is not None]
    yield from found or [untestable(test, f"needs {needs}")]


def untestable(test: str, reason: str, on: str = "") -> Finding:
    """Return the finding that something cannot be tested here."""
    return Finding(NOT_TESTABLE, test, on, reason=reason)


def judged(effect: Estimate, bounds: tuple[float, float], *, test: str, on: str, method: str) -> Finding:
    """Return the finding on an effect that a claim says is between two bounds, either of which may be infinite.

    The claim holds if the whole interval is between the bounds. It fails if the whole interval is outside of them.
    An interval without width is of something exact, such as two equal numbers; it holds only between the bounds.
    """
    if not all(map(math.isfinite, (effect.value, effect.low, effect.high))):
        return untestable(test, f"the effect is {effect.value:g}, not a number with an interval", on)
    low, high = bounds
    if low < effect.low and effect.high < high:
        outcome = HOLDS
    elif effect.high <= low or effect.low >= high:
        outcome = FAILS
    else:
        outcome = NOT_RESOLVED
    return Finding(outcome, test, on, effect, bounds, method)
