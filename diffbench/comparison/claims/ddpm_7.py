"""DDPM-7: the chain ends in the prior."""

from collections.abc import Iterator
from dataclasses import dataclass

from diffbench.comparison.claims import INFINITY, Claim, Evidence, Finding, found_or, measured_between

WHERE = {"diffusion.schedule": "linear"}
TEST = "L_T < 1e-4 bits/dim"
NEEDS = "the bound of a model with the linear schedule"


@dataclass(frozen=True)
class Ddpm7(Claim):
    """Whether L_T is negligible. It depends on the schedule and on the data, and on no network."""

    id = "DDPM-7"
    source = "Ho et al. 2020, section 4 and appendix B"
    statement = "L_T is about 1e-5 bits/dim, so the chain ends in the prior."
    published = "about 1e-5 bits/dim"
    published_holds = True

    def __call__(self, evidence: Evidence) -> Iterator[Finding]:
        """Yield a finding for each model; models with the same chain have the same value."""
        sides = evidence.sides("prior_bits_per_dim", WHERE)
        found = (measured_between(side, lambda item: item.estimate, -INFINITY, 1e-4, test=TEST) for side in sides)
        yield from found_or(found, TEST, NEEDS)
