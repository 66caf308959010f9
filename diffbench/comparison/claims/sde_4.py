"""SDE-4: the tolerance of the solver of the probability flow."""

from collections.abc import Iterator
from dataclasses import dataclass

from diffbench.comparison.claims import INFINITY, Claim, Evidence, Finding, found_or, ratio_between

DIFFER = {
    "sampler.name": ("probability_flow", "probability_flow"),
    "sampler.rtol": (1e-3, 1e-5),
    "sampler.atol": (1e-3, 1e-5),
}
NEEDS = "a model that is sampled by probability_flow with rtol and atol 1e-3, and with 1e-5"


@dataclass(frozen=True)
class Sde4(Claim):
    """Whether a loose tolerance saves evaluations and leaves the samples alike. No record has the flow's likelihood."""

    id = "SDE-4"
    source = "Song et al. 2021 (score SDE), section 4.3 and figure 3"
    statement = "A looser tolerance cuts evaluations by far more than half and leaves the result as it is."
    published = "548 evaluations to 86 (CIFAR-10)"
    published_holds = True

    def __call__(self, evidence: Evidence) -> Iterator[Finding]:
        """Yield a finding on the evaluations and one on samples."""
        for metric, low, high, test in (
            ("nfe", -INFINITY, 0.5, "NFE(1e-3) / NFE(1e-5) < 0.5"),
            ("fid", 0.95, 1.05, "FID(1e-3) / FID(1e-5) from 0.95 to 1.05"),
        ):
            pairs = evidence.pairs(metric, DIFFER)
            yield from found_or((ratio_between(a, b, low, high, test=test) for a, b in pairs), test, NEEDS)
