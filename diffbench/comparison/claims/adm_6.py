"""ADM-6: the best scale at few steps."""

from collections.abc import Iterator
from dataclasses import dataclass

from diffbench.comparison.claims import (
    INFINITY,
    Claim,
    Estimate,
    Evidence,
    Finding,
    against,
    difference,
    found_or,
    judged,
    untestable,
)
from diffbench.comparison.claims._scales import NEEDS, Scales, few_and_many, lowest

TEST = "best scale(25 DDIM steps) - best scale(250 steps) > 0"
METHOD = "from all scales that are not resolved to be worse than the best"


@dataclass(frozen=True)
class Adm6(Claim):
    """Whether few steps want more guidance. FID is flat near its best scale, so each side has a set of best scales."""

    id = "ADM-6"
    source = "Dhariwal and Nichol 2021, appendix I, table 14"
    statement = "The best scale for 25 steps of DDIM is larger than that for 250 ancestral steps."
    published = "1.25 > 0.5 (ImageNet-128), 2.5 > 1 (256), 9 > 4 (512)"
    published_holds = True

    def __call__(self, evidence: Evidence) -> Iterator[Finding]:
        """Yield a finding for each guided model."""
        yield from found_or((_finding(few, many) for few, many in few_and_many(evidence)), TEST, NEEDS)


def _finding(few: Scales, many: Scales) -> Finding | None:
    (a, best_of_few), (b, best_of_many) = ((lowest(one), _best(one)) for one in (few, many))
    on = against(few[a], many[b])
    if best_of_few is None or best_of_many is None:
        return untestable(TEST, "a score is not a number, or the scales share no seeds", on)
    low, high = min(best_of_few) - max(best_of_many), max(best_of_few) - min(best_of_many)
    return judged(Estimate(a - b, low, high), (0, INFINITY), test=TEST, on=on, method=METHOD)


def _best(sides: Scales) -> list[float] | None:
    """Return the scales that are not resolved to be worse than the best, by Bonferroni's correction; None if unknown.

    One of the scales is chosen by its score, and each of the others is compared with it.
    """
    best, others = lowest(sides), len(sides) - 1
    gaps = {scale: difference(side, sides[best], tests=others) for scale, side in sides.items() if scale != best}
    kept = [best]
    for scale, gap in gaps.items():
        if gap is None or gap.effect.low != gap.effect.low:
            return None
        if gap.effect.low <= 0:
            kept.append(scale)
    return kept
