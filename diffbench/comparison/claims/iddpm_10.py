"""IDDPM-10: learned variances at few steps."""

from collections.abc import Iterator
from dataclasses import dataclass

from diffbench.comparison.claims import Claim, Evidence, Finding, below, found_or

DIFFER = {"diffusion.variance": ("learned_range", "fixed_large"), "objective.name": ("hybrid", "simple")}
WHERE = {"sampler.name": "ancestral"}
TEST = "FID(learned) - FID(fixed large) < 0 at K <= 50"
NEEDS = "two models that differ only in objective and variance, by ancestral sampling in at most 50 steps"
MOST, FRACTION = 50, 0.05


@dataclass(frozen=True)
class Iddpm10(Claim):
    """Whether learned variances win where steps are few, which is at most 50 and a twentieth of the chain."""

    id = "IDDPM-10"
    source = "Nichol and Dhariwal 2021, section 4 and figure 8"
    statement = "At few steps learned variances are better than the large fixed one."
    published = "FID 11.60 at 25 steps against 133.37 at 20 and 32.72 at 50 (a proxy: the optimal variance)"
    published_holds = True

    def __call__(self, evidence: Evidence) -> Iterator[Finding]:
        """Yield a finding for each pair of models and number of steps."""
        pairs = [
            (a, b)
            for a, b in evidence.pairs("fid", DIFFER, WHERE)
            if a.properties["steps"] <= min(MOST, FRACTION * a.properties["diffusion.timesteps"])
        ]
        yield from found_or((below(a, b, test=TEST) for a, b in pairs), TEST, NEEDS)
