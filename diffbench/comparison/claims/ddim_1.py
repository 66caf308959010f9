"""DDIM-1: FID and eta."""

from collections.abc import Iterator
from dataclasses import dataclass

from diffbench.comparison.claims import Claim, Evidence, Finding, found_or, monotone

TEST = "FID rises from each eta to the next"
NEEDS = "a model that is sampled by ddim at three values of eta or more, with equal steps"


@dataclass(frozen=True)
class Ddim1(Claim):
    """Whether less noise is better, at every number of steps."""

    id = "DDIM-1"
    source = "Song et al. 2021 (DDIM), section 5.1 and table 1"
    statement = "At every number of steps FID grows with eta, and eta = 0 is best."
    published = "FID 13.36, 14.04, 16.66, 41.07 at eta 0, 0.2, 0.5, 1 in 10 steps (CIFAR-10); 10 of 10 columns"
    published_holds = True

    def __call__(self, evidence: Evidence) -> Iterator[Finding]:
        """Yield a finding for each model and number of steps."""
        sweeps = evidence.sweeps("fid", "sampler.eta", 3, where={"sampler.name": "ddim"})
        yield from found_or((monotone(sides, rising=True, test=TEST) for sides in sweeps), TEST, NEEDS)
