"""IDDPM-2: objectives and samples."""

from collections.abc import Iterator
from dataclasses import dataclass

from diffbench.comparison.claims import INFINITY, Claim, Evidence, Finding, found_or, ratio_between

LEARNED = "learned_range"


@dataclass(frozen=True)
class Iddpm2(Claim):
    """Whether L_vlb is far worse than L_hybrid, which is as good as L_simple."""

    id = "IDDPM-2"
    source = "Nichol and Dhariwal 2021, tables 1 and 2"
    statement = "Training on L_vlb alone costs sample quality, and L_hybrid keeps that of L_simple."
    published = "FID 11.47, 3.19, 3.05 (CIFAR-10) and 56.7, 28.0, 27.0 (ImageNet-64) for L_vlb, L_hybrid, L_simple"
    published_holds = True

    def __call__(self, evidence: Evidence) -> Iterator[Finding]:
        """Yield a finding for each of the two comparisons."""
        test = "FID(L_vlb) / FID(L_hybrid) > 1.5"
        pairs = evidence.pairs("fid", {"objective.name": ("vlb", "hybrid")}, {"diffusion.variance": LEARNED})
        needs = "two models with learned variances that differ only in objective: vlb and hybrid"
        yield from found_or((ratio_between(a, b, 1.5, INFINITY, test=test) for a, b in pairs), test, needs)
        test = "FID(L_hybrid) / FID(L_simple) from 0.9 to 1.1"
        differ = {"objective.name": ("hybrid", "simple"), "diffusion.variance": (LEARNED, "fixed_large")}
        needs = "two models that differ only in objective and variance: hybrid with a learned one, simple with a fixed"
        pairs = evidence.pairs("fid", differ)
        yield from found_or((ratio_between(a, b, 0.9, 1.1, test=test) for a, b in pairs), test, needs)
