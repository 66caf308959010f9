"""SDE-3: a corrector or twice the predictor's steps."""

from collections.abc import Iterator
from dataclasses import dataclass

from diffbench.comparison.claims import Claim, Evidence, Finding, below, equal_cost_pairs, found_or

TEST = "FID(predictor and corrector) - FID(twice the predictor's steps) < 0, at equal NFE"
NEEDS = "a model that is sampled by predictor_corrector with one correction, and by ancestral sampling at equal NFE"


@dataclass(frozen=True)
class Sde3(Claim):
    """Whether half of the evaluations are better spent on corrections. The outcome depends on the corrector's snr."""

    id = "SDE-3"
    source = "Song et al. 2021 (score SDE), section 4.2 and table 1"
    statement = "One correction after each step is better than twice as many steps."
    published = "FID 3.60 < 4.74 (CIFAR-10, VE, 1000 corrected against 2000 steps)"
    published_holds = True

    def __call__(self, evidence: Evidence) -> Iterator[Finding]:
        """Yield a finding for each model, snr and cost."""
        differ = {"sampler.name": ("predictor_corrector", "ancestral"), "sampler.corrections": (1, None)}
        ratios = sorted({item.properties["sampler.snr"] for item in evidence.of("fid", {"sampler.corrections": 1})})
        pairs = [
            pair for snr in ratios for pair in equal_cost_pairs(evidence, "fid", {**differ, "sampler.snr": (snr, None)})
        ]
        yield from found_or((below(a, b, test=TEST) for a, b in pairs), TEST, NEEDS)
