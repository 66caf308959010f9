"""DDPM-5: the share of imperceptible distortion in the codelength."""

from collections.abc import Iterator
from dataclasses import dataclass

from diffbench.comparison.claims import INFINITY, Claim, Evidence, Finding, found_or, measured_between
from diffbench.comparison.claims._terms import share_of_first

WHERE = {"diffusion.schedule": "linear", "objective.name": "simple"}
TEST = "L_0 / (L_0 + ... + L_{T-1}) > 0.5"
NEEDS = "the terms of the bound of a model with the linear schedule and L_simple"


@dataclass(frozen=True)
class Ddpm5(Claim):
    """Whether L_0 is more than half of the codelength. With few grey levels it cannot be."""

    id = "DDPM-5"
    source = "Ho et al. 2020, section 4.3 and table 1"
    statement = "More than half of the lossless codelength describes imperceptible distortions."
    published = "1.97 / (1.97 + 1.78) = 0.525 (CIFAR-10)"
    published_holds = True

    def __call__(self, evidence: Evidence) -> Iterator[Finding]:
        """Yield a finding for each model."""
        sides = evidence.sides("nll_bits_per_dim", WHERE)
        found = (measured_between(side, share_of_first, 0.5, INFINITY, test=TEST) for side in sides)
        yield from found_or(found, TEST, NEEDS)
