"""IDDPM-5: a longer chain and the codelength."""

from collections.abc import Iterator
from dataclasses import dataclass

from diffbench.comparison.claims import Claim, Evidence, Finding, found_or, monotone

WHERE = {"diffusion.schedule": "linear", "objective.name": "simple"}
TEST = "NLL falls with the number of steps T"
NEEDS = "two models of L_simple with the linear schedule that differ only in T (timesteps)"


@dataclass(frozen=True)
class Iddpm5(Claim):
    """Whether the codelength falls with the length of the chain."""

    id = "IDDPM-5"
    source = "Nichol and Dhariwal 2021, section 3 and tables 1 and 2"
    statement = "A chain of 4000 steps instead of 1000 lowers the codelength."
    published = "NLL 3.77 < 3.99 and 3.37 < 3.73"
    published_holds = True

    def __call__(self, evidence: Evidence) -> Iterator[Finding]:
        """Yield a finding for each group of models."""
        sweeps = evidence.sweeps("nll_bits_per_dim", "diffusion.timesteps", 2, where=WHERE)
        yield from found_or((monotone(sides, rising=False, test=TEST) for sides in sweeps), TEST, NEEDS)
