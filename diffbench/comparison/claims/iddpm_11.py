"""IDDPM-11: the variance matters for the codelength at few steps."""

from collections.abc import Iterator
from dataclasses import dataclass

from diffbench.comparison.claims import Claim, Evidence, Finding, untestable

TEST = "NLL(optimal) <= min(NLL(large), NLL(small)) at every K; NLL(large) < NLL(small) at K <= 50"


@dataclass(frozen=True)
class Iddpm11(Claim):
    """Whether the variance decides the codelength of short chains. Bounds here are of the whole chain."""

    id = "IDDPM-11"
    source = "Nichol and Dhariwal 2021, section 3.1"
    statement = "The variance hardly matters for samples of the full chain, but the codelength at few steps."

    def __call__(self, evidence: Evidence) -> Iterator[Finding]:
        """Yield where the claim is decided."""
        yield untestable(TEST, "diffbench oracle decides it on normal data")
