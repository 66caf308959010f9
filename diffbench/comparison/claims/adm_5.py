"""ADM-5: 25 guided DDIM steps."""

from collections.abc import Iterator
from dataclasses import dataclass

from diffbench.comparison.claims import INFINITY, Claim, Evidence, Finding, found_or, ratio_between
from diffbench.comparison.claims._scales import NEEDS, few_and_many, lowest

TEST = "FID(25 DDIM steps, best scale) / FID(250 steps, best scale) < 2.1"


@dataclass(frozen=True)
class Adm5(Claim):
    """Whether few guided steps are nearly as good as many. Each has its own best scale, so the same runs choose it."""

    id = "ADM-5"
    source = "Dhariwal and Nichol 2021, section 5 and table 5"
    statement = "Guided, 25 steps of DDIM are within a small factor of 250 ancestral steps."
    published = "5.98 / 2.97 = 2.01 (ImageNet-128), 5.44 / 4.59 = 1.19 (256), 8.41 / 7.72 = 1.09 (512)"
    published_holds = True

    def __call__(self, evidence: Evidence) -> Iterator[Finding]:
        """Yield a finding for each guided model."""
        best = [(few[lowest(few)], many[lowest(many)]) for few, many in few_and_many(evidence)]
        yield from found_or((ratio_between(a, b, -INFINITY, 2.1, test=TEST) for a, b in best), TEST, NEEDS)
