"""DDPM-11: the mean of weights and dropout."""

from collections.abc import Iterator
from dataclasses import dataclass

from diffbench.comparison.claims import INFINITY, Claim, Evidence, Finding, below, found_or, ratio_between


@dataclass(frozen=True)
class Ddpm11(Claim):
    """Whether the moving average of weights and dropout improve FID."""

    id = "DDPM-11"
    source = "Ho et al. 2020, appendix B; Dhariwal and Nichol 2021, table 5"
    statement = "Raw weights are far worse than their moving average, and dropout helps."
    published = "FID 3.21 and 12.14 for averaged and raw weights; 2.07 < 2.61 and 2.57 < 2.95 with dropout and without"
    published_holds = True

    def __call__(self, evidence: Evidence) -> Iterator[Finding]:
        """Yield a finding for the average and one for dropout."""
        test = "FID(averaged weights) / FID(raw weights) < 0.6"
        pairs = evidence.pairs("fid", {"weights": ("ema", "raw")})
        needs = "samples of the averaged and of the raw weights of one model"
        yield from found_or((ratio_between(a, b, -INFINITY, 0.6, test=test) for a, b in pairs), test, needs)
        test = "FID(dropout) - FID(no dropout) < 0"
        sweeps = [sides for sides in evidence.sweeps("fid", "network.dropout", 2) if 0 in sides]
        pairs = [(side, sides[0]) for sides in sweeps for rate, side in sides.items() if rate]
        needs = "two models that differ only in dropout, one without any"
        yield from found_or((below(a, b, test=test) for a, b in pairs), test, needs)
