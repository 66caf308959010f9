"""IDDPM-12: DDIM or learned variances."""

from collections.abc import Iterator
from dataclasses import dataclass

from diffbench.comparison.claims import Claim, Evidence, Finding, below, found_or

DIFFER = {"sampler.name": ("ddim", "ancestral"), "sampler.eta": (0.0, None)}
WHERE = {"objective.name": "hybrid"}
NEEDS = "a model of objective hybrid that is sampled by ddim with eta 0 and by ancestral sampling"
FEW, MANY = 20, 100


@dataclass(frozen=True)
class Iddpm12(Claim):
    """Whether the better sampler changes between 20 and 100 steps. Where between them is not tested."""

    id = "IDDPM-12"
    source = "Nichol and Dhariwal 2021, section 4 and figure 8"
    statement = "DDIM is better than learned variances at few steps and worse at many."
    published = "FID 21.31 < 34.26 at 10 steps, 6.08 > 5.4 at 100 (a proxy: DDIM and the optimal variance)"
    published_holds = True

    def __call__(self, evidence: Evidence) -> Iterator[Finding]:
        """Yield a finding for few steps and one for many."""
        pairs = list(evidence.pairs("fid", DIFFER, WHERE))
        test = f"FID(DDIM) - FID(learned variance) < 0 at K <= {FEW}"
        few = (below(ddim, own, test=test) for ddim, own in pairs if ddim.properties["steps"] <= FEW)
        yield from found_or(few, test, f"{NEEDS} in at most {FEW} steps")
        test = f"FID(learned variance) - FID(DDIM) < 0 at K >= {MANY}"
        many = (below(own, ddim, test=test) for ddim, own in pairs if ddim.properties["steps"] >= MANY)
        yield from found_or(many, test, f"{NEEDS} in at least {MANY} steps")
