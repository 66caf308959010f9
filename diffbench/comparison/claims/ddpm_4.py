"""DDPM-4: a learned diagonal variance inside the bound."""

from collections.abc import Iterator
from dataclasses import dataclass

from diffbench.comparison.claims import Claim, Evidence, Finding, below, found_or

DIFFER = {"diffusion.variance": ("fixed_large", "learned_diagonal")}
TEST = "FID(mu, L, fixed variance) - FID(mu, L, learned diagonal) < 0"
NEEDS = "two models that predict mu under the bound and differ only in variance: fixed_large and learned_diagonal"


@dataclass(frozen=True)
class Ddpm4(Claim):
    """Whether a variance that the network gives directly, and not between two bounds, makes FID worse."""

    id = "DDPM-4"
    source = "Ho et al. 2020, section 4.2 and table 2"
    statement = "Learning a diagonal variance inside the bound hurts samples."
    published = "FID 23.69 > 13.22 (CIFAR-10)"
    published_holds = True

    def __call__(self, evidence: Evidence) -> Iterator[Finding]:
        """Yield a finding for each pair of models."""
        where = {"diffusion.parameterization": "mu", "objective.name": "vlb"}
        pairs = evidence.pairs("fid", DIFFER, where)
        yield from found_or((below(fixed, learned, test=TEST) for fixed, learned in pairs), TEST, NEEDS)
