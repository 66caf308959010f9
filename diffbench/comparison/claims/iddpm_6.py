"""IDDPM-6: the first steps contribute most of the bound."""

from collections.abc import Iterator
from dataclasses import dataclass

from diffbench.comparison.claims import INFINITY, Claim, Evidence, Finding, found_or, measured_between
from diffbench.comparison.claims._terms import share_of_late

TEST = "the terms up to t = 0.1 T / all terms > 0.5"
NEEDS = "the terms of a model's bound"


@dataclass(frozen=True)
class Iddpm6(Claim):
    """Whether the terms up to t = 0.1 T are more than half of the bound."""

    id = "IDDPM-6"
    source = "Nichol and Dhariwal 2021, section 3.1 and figure 2"
    statement = "The first steps of the diffusion, with little noise, contribute most of the bound."

    def __call__(self, evidence: Evidence) -> Iterator[Finding]:
        """Yield a finding for each model."""
        sides = evidence.sides("nll_bits_per_dim")
        found = (measured_between(side, share_of_late, 0.5, INFINITY, test=TEST) for side in sides)
        yield from found_or(found, TEST, NEEDS)
