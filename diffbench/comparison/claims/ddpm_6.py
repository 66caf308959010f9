"""DDPM-6: no overfitting of the codelength."""

from collections.abc import Iterator
from dataclasses import dataclass

from diffbench.comparison.claims import INFINITY, Claim, Evidence, Finding, found_or, measured_between

TEST = "NLL(test) - NLL(train) < 0.03"


@dataclass(frozen=True)
class Ddpm6(Claim):
    """Whether the codelength of test images is as good as that of training images."""

    id = "DDPM-6"
    source = "Ho et al. 2020, section 4.3 and table 1"
    statement = "The codelengths of training and test images differ by at most 0.03 bits/dim."
    published = "0.03 for L_simple, 0.01 for L (CIFAR-10)"
    published_holds = True

    def __call__(self, evidence: Evidence) -> Iterator[Finding]:
        """Yield a finding for each model of which both codelengths are known."""
        sides = evidence.sides("nll_gap_bits_per_dim")
        found = (measured_between(side, lambda item: item.estimate, -INFINITY, 0.03, test=TEST) for side in sides)
        yield from found_or(found, TEST, "the bound of a model on training and on test images")
