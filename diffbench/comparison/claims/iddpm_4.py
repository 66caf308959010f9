"""IDDPM-4: the cosine schedule and FID (a negative control)."""

from collections.abc import Iterator
from dataclasses import dataclass

from diffbench.comparison.claims import Claim, Evidence, Finding, below, found_or

DIFFER = {"diffusion.schedule": ("cosine", "linear")}


@dataclass(frozen=True)
class Iddpm4(Claim):
    """Whether FID under the cosine schedule is below that under the linear one."""

    id = "IDDPM-4"
    source = "Nichol and Dhariwal 2021, section 3.2 and tables 1 and 2"
    statement = "The cosine schedule improves FID at low resolution."
    published = "FID 31.3 to 27.0, 32.2 to 28.0 (ImageNet-64); 2.90 to 3.05, 3.07 to 3.19 (CIFAR-10)"
    published_holds = False
    control = "the same paper's rows of CIFAR-10, where the linear schedule is better"

    def __call__(self, evidence: Evidence) -> Iterator[Finding]:
        """Yield a finding for L_simple and one for L_hybrid."""
        for objective in ("simple", "hybrid"):
            test = f"FID(cosine) - FID(linear) < 0 with L_{objective}"
            pairs = evidence.pairs("fid", DIFFER, {"objective.name": objective})
            needs = f"two models of objective {objective} that differ only in schedule: cosine and linear"
            yield from found_or((below(a, b, test=test) for a, b in pairs), test, needs)
