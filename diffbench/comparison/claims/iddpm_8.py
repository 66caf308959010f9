"""IDDPM-8: importance sampling of t."""

from collections.abc import Iterator
from dataclasses import dataclass

from diffbench.comparison.claims import INFINITY, Claim, Evidence, Finding, found_or, measured_between
from diffbench.comparison.claims._terms import variance_ratio

WHERE = {"objective.name": "vlb"}
TEST = "Var(L_vlb, p_t proportional to sqrt(E L_t^2)) / Var(L_vlb, uniform) < 0.5"
NEEDS = "the terms of the bound of a model of objective vlb"


@dataclass(frozen=True)
class Iddpm8(Claim):
    """Whether the estimate of L_vlb from one timestep varies less. It is of the loss and not of its gradient."""

    id = "IDDPM-8"
    source = "Nichol and Dhariwal 2021, section 3.3, eq. 18 and figure 7"
    statement = "Importance sampling of t reduces the noise of L_vlb."

    def __call__(self, evidence: Evidence) -> Iterator[Finding]:
        """Yield a finding for each model."""
        sides = evidence.sides("nll_bits_per_dim", WHERE)
        found = (measured_between(side, variance_ratio, -INFINITY, 0.5, test=TEST) for side in sides)
        yield from found_or(found, TEST, NEEDS)
