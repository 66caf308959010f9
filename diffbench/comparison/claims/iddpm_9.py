"""IDDPM-9: about 100 steps with learned variances."""

from collections.abc import Iterator
from dataclasses import dataclass

from diffbench.comparison.claims import INFINITY, Claim, Evidence, Finding, found_or, ratio_between

WHERE = {"objective.name": "hybrid", "sampler.name": "ancestral"}
TEST = "FID(K = 100) / FID(K = T) < 1.3"
NEEDS = "a model of objective hybrid with T > 100 that is sampled in 100 and in T steps by ancestral sampling"


@dataclass(frozen=True)
class Iddpm9(Claim):
    """Whether 100 steps are nearly as good as the whole chain."""

    id = "IDDPM-9"
    source = "Nichol and Dhariwal 2021, section 4 and figure 8"
    statement = "A model with learned variances has nearly the FID of its full chain in about 100 steps."
    published = "3.7 / 3.19 = 1.16 (CIFAR-10; 100 steps of the released checkpoint, 4000 of the paper)"
    published_holds = True

    def __call__(self, evidence: Evidence) -> Iterator[Finding]:
        """Yield a finding for each model."""
        pairs = [
            (sides[100], sides[whole])
            for sides in evidence.sweeps("fid", "steps", 2, where=WHERE)
            for whole in [next(iter(sides.values())).properties["diffusion.timesteps"]]
            if whole > 100 and {100, whole} <= sides.keys()
        ]
        yield from found_or((ratio_between(a, b, -INFINITY, 1.3, test=TEST) for a, b in pairs), TEST, NEEDS)
