"""ADM-2: guidance of a model without labels (a negative control)."""

from collections.abc import Iterator
from dataclasses import dataclass

from diffbench.comparison.claims import Claim, Evidence, Finding, Side, below, found_or

LARGE = 4.0
"""From this scale on, guidance counts as large. The paper has 10."""
NEEDS = "a model without labels under a classifier's guidance at scale 0 and at scale"


@dataclass(frozen=True)
class Adm2(Claim):
    """Whether a model without labels needs a large scale: FID is worse at scale 1 than without guidance."""

    id = "ADM-2"
    source = "Dhariwal and Nichol 2021, section 4.3 and table 4"
    statement = "For a model without labels, a classifier's scale of 1 is worse than none, and a large one better."
    published = "FID 26.21, 33.03, 12.00 at scales 0, 1, 10 (ImageNet-256)"
    published_holds = True
    control = "precision of the same model: 0.61, 0.56, 0.76, so ADM-1 is not a rule for models without labels"

    def __call__(self, evidence: Evidence) -> Iterator[Finding]:
        """Yield a finding for scale 1 and one for the largest scale."""
        where = {"guidance.name": "classifier", "network.class_conditional": False}
        sweeps = list(evidence.sweeps("fid", "guidance.scale", 2, where=where))
        test = "FID(scale 0) - FID(scale 1) < 0"
        pairs = [(sides[0], sides[1]) for sides in sweeps if {0, 1} <= sides.keys()]
        yield from found_or((below(none, one, test=test) for none, one in pairs), test, f"{NEEDS} 1")
        test = f"FID(largest scale) - FID(scale 0) < 0, at a scale of {LARGE:g} or more"
        ends = [found for sides in sweeps if (found := _ends(sides))]
        yield from found_or((below(large, none, test=test) for none, large in ends), test, f"{NEEDS} {LARGE:g} or more")


def _ends(sides: dict[float, Side]) -> tuple[Side, Side] | None:
    largest = max(sides)
    return (sides[0], sides[largest]) if 0 in sides and largest >= LARGE else None
