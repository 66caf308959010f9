"""ADM-9: a low temperature does not buy precision."""

from collections.abc import Iterator
from dataclasses import dataclass

from diffbench.comparison.claims import Claim, Evidence, Finding, untestable

TEST = "precision and recall both fall at a temperature of 0.98; scaled noise and scaled eps are alike"


@dataclass(frozen=True)
class Adm9(Claim):
    """Whether a lower temperature trades recall for precision. No sampler of a benchmark has a temperature."""

    id = "ADM-9"
    source = "Dhariwal and Nichol 2021, appendix G and figure 11"
    statement = "A lower temperature lowers both precision and recall, whether the noise is scaled or eps is."

    def __call__(self, evidence: Evidence) -> Iterator[Finding]:
        """Yield where the claim is decided."""
        yield untestable(TEST, "diffbench oracle decides it on normal data, where precision rises")
