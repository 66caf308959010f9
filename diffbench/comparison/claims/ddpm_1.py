"""DDPM-1: the bound or L_simple."""

from collections.abc import Iterator
from dataclasses import dataclass

from diffbench.comparison.claims import Claim, Evidence, Finding, below, found_or

DIFFER = {"objective.name": ("vlb", "simple")}
WHERE = {"diffusion.parameterization": "eps"}
NEEDS = "two models that predict eps and differ only in objective: vlb and simple"


@dataclass(frozen=True)
class Ddpm1(Claim):
    """Whether the bound gives better codelengths, and L_simple better samples."""

    id = "DDPM-1"
    source = "Ho et al. 2020, section 4.1 and table 1"
    statement = "Training on the bound gives better codelengths than L_simple, which gives better samples."
    published = "NLL 3.70 < 3.75; FID 3.17 < 13.51 (CIFAR-10)"
    published_holds = True

    def __call__(self, evidence: Evidence) -> Iterator[Finding]:
        """Yield a finding for codelengths and one for samples."""
        test = "NLL(L) - NLL(L_simple) < 0"
        pairs = evidence.pairs("nll_bits_per_dim", DIFFER, WHERE)
        yield from found_or((below(bound, simple, test=test) for bound, simple in pairs), test, NEEDS)
        test = "FID(L_simple) - FID(L) < 0"
        pairs = evidence.pairs("fid", DIFFER, WHERE)
        yield from found_or((below(simple, bound, test=test) for bound, simple in pairs), test, NEEDS)
