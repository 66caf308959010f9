"""The verdict on a score beside a published number: it agrees, or is higher or lower, or is not comparable."""

import math
from dataclasses import dataclass

from diffbench.base.records import NORMAL_95, Estimate
from diffbench.comparison.published.matching import Published
from diffbench.comparison.published.recorded import Ours

AGREES, HIGHER, LOWER, NO_SCORE, NOT_COMPARABLE = "agrees", "higher", "lower", "no score", "not comparable"


@dataclass(frozen=True)
class Verdict:
    """The outcome, and the difference ours - published with its interval; None if there is none."""

    outcome: str
    difference: Estimate | None = None


def verdict(ours: Ours, published: Published) -> Verdict:
    """Return the verdict on a score beside a published number.

    They agree if the interval of their difference contains 0. It joins the score's own interval with what is known of
    the published number: its standard deviation, if one was printed, and the rounding to its last digit.
    """
    if not published.comparable:
        return Verdict(f"{NOT_COMPARABLE}: {published.differs[0]}")
    number, numbers = published.numbers[0], [item[key] for item in ours.records for key in ("value", "low", "high")]
    if not all(map(math.isfinite, numbers)):
        return Verdict(NO_SCORE)
    own = ours.estimate
    spread = NORMAL_95 * number.standard_deviation
    value = own.value - number.number
    low = value - math.hypot(own.value - own.low, spread) - number.rounding
    high = value + math.hypot(own.high - own.value, spread) + number.rounding
    difference = Estimate(value, low, high, own.covers)
    outcome = AGREES if low <= 0 <= high else HIGHER if low > 0 else LOWER
    return Verdict(outcome, difference)
