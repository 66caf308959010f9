"""IDDPM-3: the cosine schedule and the codelength."""

from collections.abc import Iterator
from dataclasses import dataclass

from diffbench.comparison.claims import Claim, Evidence, Finding, below, found_or

DIFFER = {"diffusion.schedule": ("cosine", "linear")}


@dataclass(frozen=True)
class Iddpm3(Claim):
    """Whether the codelength under the cosine schedule is below that under the linear one."""

    id = "IDDPM-3"
    source = "Nichol and Dhariwal 2021, section 3.2 and tables 1 and 2"
    statement = "The cosine schedule lowers the codelength at a fixed objective and length of the chain."
    published = "NLL 3.68 < 3.77, 3.62 < 3.66, 3.26 < 3.37, 3.17 < 3.26, cosine and linear"
    published_holds = True

    def __call__(self, evidence: Evidence) -> Iterator[Finding]:
        """Yield a finding for L_simple and one for L_hybrid."""
        for objective in ("simple", "hybrid"):
            test = f"NLL(cosine) - NLL(linear) < 0 with L_{objective}"
            pairs = evidence.pairs("nll_bits_per_dim", DIFFER, {"objective.name": objective})
            needs = f"two models of objective {objective} that differ only in schedule: cosine and linear"
            yield from found_or((below(a, b, test=test) for a, b in pairs), test, needs)
