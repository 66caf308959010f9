"""DDIM-3: FID and the number of steps."""

from collections.abc import Iterator
from dataclasses import dataclass

from diffbench.comparison.claims import Claim, Evidence, Finding, found_or, monotone

TEST = "FID falls from each number of steps to the next"
NEEDS = "a model that is sampled by ddim in three numbers of steps or more"


@dataclass(frozen=True)
class Ddim3(Claim):
    """Whether more steps are better, for every eta."""

    id = "DDIM-3"
    source = "Song et al. 2021 (DDIM), section 5.1 and table 1"
    statement = "Samples improve with the number of steps for every eta."
    published = "FID 13.36, 6.84, 4.67, 4.16, 4.04 in 10, 20, 50, 100, 1000 steps at eta 0 (CIFAR-10); 10 of 10 rows"
    published_holds = True

    def __call__(self, evidence: Evidence) -> Iterator[Finding]:
        """Yield a finding for each model and eta."""
        sweeps = evidence.sweeps("fid", "steps", 3, where={"sampler.name": "ddim"})
        yield from found_or((monotone(sides, rising=False, test=TEST) for sides in sweeps), TEST, NEEDS)
