"""ADM-1: guidance trades recall for precision."""

from collections.abc import Iterator
from dataclasses import dataclass

from diffbench.comparison.claims import Claim, Evidence, Finding, found_or, not_contrary

WHERE = {"guidance.name": "classifier", "network.class_conditional": True}
NEEDS = "a class-conditional model with a classifier's guidance at three scales or more"


@dataclass(frozen=True)
class Adm1(Claim):
    """Whether precision and the Inception score rise, and recall falls, with the classifier's scale."""

    id = "ADM-1"
    source = "Dhariwal and Nichol 2021, section 4.3, table 4 and figure 4"
    statement = "Precision and the Inception score rise and recall falls with the scale of a classifier's guidance."
    published = "precision 0.69, 0.82, 0.88; recall 0.63, 0.52, 0.32; IS 100.98, 186.7, 283.92 (ImageNet)"
    published_holds = True

    def __call__(self, evidence: Evidence) -> Iterator[Finding]:
        """Yield a finding for each of the three metrics."""
        for metric, rising in (("precision", True), ("inception_score", True), ("recall", False)):
            test = f"{metric} {'rises' if rising else 'falls'} from the first scale to the last, no step is contrary"
            sweeps = evidence.sweeps(metric, "guidance.scale", 3, where=WHERE)
            yield from found_or((not_contrary(one, rising=rising, test=test) for one in sweeps), test, NEEDS)
