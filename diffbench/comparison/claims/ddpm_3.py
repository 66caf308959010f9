"""DDPM-3: predicting eps or mu, under the bound and under L_simple."""

from collections.abc import Iterator
from dataclasses import dataclass

from diffbench.comparison.claims import INFINITY, Claim, Evidence, Finding, found_or, ratio_between

FIXED = {"diffusion.variance": "fixed_large"}


@dataclass(frozen=True)
class Ddpm3(Claim):
    """Whether what is predicted matters under the bound, and the objective when eps is predicted."""

    id = "DDPM-3"
    source = "Ho et al. 2020, section 4.2 and table 2"
    statement = "Predicting eps is about as good as predicting mu under the bound, and far better under L_simple."
    published = "FID 13.51 and 13.22 for eps and mu under L; 3.17 for eps under L_simple (CIFAR-10)"
    published_holds = True

    def __call__(self, evidence: Evidence) -> Iterator[Finding]:
        """Yield a finding for each of the two comparisons."""
        test = "FID(eps, L) / FID(mu, L) from 0.75 to 1.25"
        pairs = evidence.pairs("fid", {"diffusion.parameterization": ("eps", "mu")}, {**FIXED, "objective.name": "vlb"})
        needs = "two models under the bound (vlb) that differ only in what they predict: eps and mu"
        yield from found_or((ratio_between(eps, mu, 0.75, 1.25, test=test) for eps, mu in pairs), test, needs)
        test = "FID(eps, L_simple) / FID(eps, L) < 0.5"
        where = {**FIXED, "diffusion.parameterization": "eps"}
        pairs = evidence.pairs("fid", {"objective.name": ("simple", "vlb")}, where)
        needs = "two models that predict eps and differ only in objective: simple and vlb"
        yield from found_or((ratio_between(a, b, -INFINITY, 0.5, test=test) for a, b in pairs), test, needs)
