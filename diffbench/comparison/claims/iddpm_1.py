"""IDDPM-1: learned variances and the codelength."""

from collections.abc import Iterator
from dataclasses import dataclass

from diffbench.comparison.claims import Claim, Evidence, Finding, below, found_or

LEARNED = "learned_range"


@dataclass(frozen=True)
class Iddpm1(Claim):
    """Whether learned variances improve the codelength, and L_vlb alone is best."""

    id = "IDDPM-1"
    source = "Nichol and Dhariwal 2021, sections 3.1 to 3.4 and tables 1 and 2"
    statement = "Learned variances improve the codelength, and training on L_vlb alone gives the best one."
    published = "NLL 2.94, 3.17, 3.26 (CIFAR-10) and 3.57, 3.62, 3.68 (ImageNet-64) for L_vlb, L_hybrid, L_simple"
    published_holds = True

    def __call__(self, evidence: Evidence) -> Iterator[Finding]:
        """Yield a finding for each of the two inequalities."""
        test = "NLL(L_hybrid) - NLL(L_simple) < 0"
        differ = {"objective.name": ("hybrid", "simple"), "diffusion.variance": (LEARNED, "fixed_large")}
        pairs = evidence.pairs("nll_bits_per_dim", differ)
        needs = "two models that differ only in objective and variance: hybrid with a learned one, simple with a fixed"
        yield from found_or((below(a, b, test=test) for a, b in pairs), test, needs)
        test = "NLL(L_vlb) - NLL(L_hybrid) < 0"
        pairs = evidence.pairs(
            "nll_bits_per_dim", {"objective.name": ("vlb", "hybrid")}, {"diffusion.variance": LEARNED}
        )
        needs = "two models with learned variances that differ only in objective: vlb and hybrid"
        yield from found_or((below(a, b, test=test) for a, b in pairs), test, needs)
