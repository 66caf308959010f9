"""ADM-3: the best scale of guidance is neither none nor the largest (a negative control)."""

from collections.abc import Iterator
from dataclasses import dataclass

from diffbench.comparison.claims import Claim, Evidence, Finding, best_inside, found_or

TEST = "the lowest FID is at a scale between 0 and the largest"
NEEDS = "a class-conditional model with a classifier's guidance at three scales or more, 0 among them"


@dataclass(frozen=True)
class Adm3(Claim):
    """Whether FID is best at an intermediate scale."""

    id = "ADM-3"
    source = "Dhariwal and Nichol 2021, section 4.3"
    statement = "FID is best at an intermediate scale of guidance."
    published = "FID 10.94, 4.59, 9.11 (ImageNet-256) with the scale"
    published_holds = True
    control = "the released 64x64 model is best without guidance: FID 3.25, 4.14, 7.22, 13.67 at 0, 0.3, 1, 3"

    def __call__(self, evidence: Evidence) -> Iterator[Finding]:
        """Yield a finding for each guided model."""
        where = {"guidance.name": "classifier", "network.class_conditional": True}
        sweeps = (sides for sides in evidence.sweeps("fid", "guidance.scale", 3, where=where) if 0 in sides)
        yield from found_or((best_inside(sides, test=TEST) for sides in sweeps), TEST, NEEDS)
