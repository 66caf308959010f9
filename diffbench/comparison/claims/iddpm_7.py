"""IDDPM-7: the start of the reverse process can be skipped under the linear schedule."""

from collections.abc import Iterator
from dataclasses import dataclass

from diffbench.comparison.claims import Claim, Evidence, Finding, untestable

TEST = "FID(skip 20 %) / FID(skip nothing) < 1.05 for linear, and above it for cosine"


@dataclass(frozen=True)
class Iddpm7(Claim):
    """Whether the first fifth of the reverse process matters. No record of a benchmark has a chain that is cut off."""

    id = "IDDPM-7"
    source = "Nichol and Dhariwal 2021, section 3.2 and figure 4"
    statement = "A fifth of the reverse process can be skipped at little cost under the linear schedule alone."

    def __call__(self, evidence: Evidence) -> Iterator[Finding]:
        """Yield where the claim is decided."""
        yield untestable(TEST, "diffbench oracle decides it on normal data")
