"""ADM-4: more steps near the data."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from diffbench.comparison.claims import Claim, Evidence, Finding, Group, Side, below, found_or

TEST = "FID(more steps near t = 0) - FID(uniform steps) < 0"
NEEDS = "a model that is sampled in equally many steps by uniform spacing and by sections such as '9,6,6,2,2'"


@dataclass(frozen=True)
class Adm4(Claim):
    """Whether sections whose steps become fewer with t are better than uniform steps, at an equal number."""

    id = "ADM-4"
    source = "Dhariwal and Nichol 2021, appendix J, tables 15 and 16"
    statement = "At an equal number of steps, more steps near t = 0 are better than uniform ones."
    published = "FID 2.02 < 2.31 (LSUN bedroom), 2.83 < 3.45 (horse), 5.94 < 7.03 (cat) for 90,60,60,20,20 and 250"
    published_holds = True

    def __call__(self, evidence: Evidence) -> Iterator[Finding]:
        """Yield a finding for each model and sampler."""
        pairs = [pair for group in evidence.groups("fid", ("spacing",)) for pair in _pairs(group)]
        yield from found_or((below(late, uniform, test=TEST) for late, uniform in pairs), TEST, NEEDS)


def _pairs(group: Group) -> Iterator[tuple[Side, Side]]:
    sides = group.sweep("spacing")
    if "uniform" in sides:
        yield from ((side, sides["uniform"]) for spacing, side in sides.items() if _is_late(spacing))


def _is_late(spacing: str) -> bool:
    """Return whether a spacing is of sections, the first of which are nearest to t = 0, with ever fewer steps."""
    if re.fullmatch(r"\d+(,\d+)+", spacing) is None:
        return False
    counts = [int(count) for count in spacing.split(",")]
    return counts == sorted(counts, reverse=True) and counts[0] > counts[-1]
