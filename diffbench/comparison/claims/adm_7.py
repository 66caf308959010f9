"""ADM-7: changes of the network's architecture."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations
from typing import Any

from diffbench.comparison.claims import Claim, Evidence, Finding, Side, below, found_or, untestable


@dataclass(frozen=True)
class Change:
    """A setting of the network, and what is said to be better about it."""

    setting: str
    words: str
    short: str

    def improves(self, value: Any, other: Any) -> bool:
        """Return whether the claim says that a value is better than another one."""
        if self.setting == "network.attention_resolutions":
            return set(value) > set(other)
        return value > other


CHANGES = (
    Change("network.scale_shift", "group norm that adapts to the embedding against one that adds it", "adaptive norm"),
    Change("network.residual_resampling", "resampling by residual blocks against plain resampling", "resampling"),
    Change("network.attention_resolutions", "attention at more resolutions against a part of them", "attention"),
    Change("network.heads", "more heads of attention against fewer", "heads"),
)


@dataclass(frozen=True)
class Adm7(Claim):
    """Whether each change of the network lowers FID, where two models differ in that change alone."""

    id = "ADM-7"
    source = "Dhariwal and Nichol 2021, section 3 and tables 1 to 3"
    statement = (
        "Adaptive group norm, resampling in residual blocks, attention at more resolutions and more heads each help, "
        "while rescaled residuals do not."
    )
    published = "FID falls by 0.21 to 1.21 for each, rises by 0.16 to 0.25 if residuals are rescaled; 13.06 < 15.08"
    published_holds = True

    def __call__(self, evidence: Evidence) -> Iterator[Finding]:
        """Yield a finding for each change and pair of models."""
        for change in CHANGES:
            test = f"FID with {change.short} - FID without < 0: {change.words}"
            pairs = _pairs(evidence, change)
            needs = f"two models that differ in {change.setting} alone"
            yield from found_or((below(better, other, test=test) for better, other in pairs), test, needs)
        yield untestable("FID with rescaled residuals - FID without > 0", "no network here rescales its residuals")


def _pairs(evidence: Evidence, change: Change) -> Iterator[tuple[Side, Side]]:
    for group in evidence.groups("fid", (change.setting,)):
        for (a, better), (b, other) in permutations(group.sweep(change.setting).items(), 2):
            if change.improves(a, b):
                yield better, other
