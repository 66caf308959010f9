"""ADM-8: guidance and upsampling together."""

from collections.abc import Iterator
from dataclasses import dataclass

from diffbench.comparison.claims import Claim, Evidence, Finding, Side, below, found_or

ALIKE = ("data", "protocol", "num_images", "sampler.name", "steps")
"""What a cascade and a model of large images must share, besides the scale of guidance."""
NEEDS = "a guided model, a cascade, and the cascade of the guided small model at the same scale, sampled alike"


@dataclass(frozen=True)
class Adm8(Claim):
    """Whether a cascade whose small model is guided beats guidance alone and upsampling alone."""

    id = "ADM-8"
    source = "Dhariwal and Nichol 2021, section 5.2 and table 6"
    statement = (
        "Guidance and upsampling together beat either alone, and upsampling keeps recall while guidance loses it."
    )
    published = "FID 3.94 < 4.59 and 7.49 (ImageNet-256), 3.85 < 7.72 and 9.96 (512); recall 0.63 > 0.52"
    published_holds = True

    def __call__(self, evidence: Evidence) -> Iterator[Finding]:
        """Yield a finding for each of the three inequalities."""
        trios = list(_trios(evidence, "fid"))
        test = "FID(guided cascade) - FID(guided) < 0"
        yield from found_or((below(both, guided, test=test) for guided, _, both in trios), test, NEEDS)
        test = "FID(guided cascade) - FID(cascade) < 0"
        yield from found_or((below(both, cascade, test=test) for _, cascade, both in trios), test, NEEDS)
        test = "recall(guided) - recall(cascade) < 0"
        trios = _trios(evidence, "recall")
        yield from found_or((below(guided, cascade, test=test) for guided, cascade, _ in trios), test, NEEDS)


def _trios(evidence: Evidence, metric: str) -> Iterator[tuple[Side, Side, Side]]:
    """Yield a guided model, a cascade, and the cascade of a guided model."""
    whole = [side for side in evidence.sides(metric, {"guidance.name": "classifier", "low_res.model": None})]
    for group in evidence.groups(metric, ("low_res.model", "low_res.guidance.name")):
        cascade = group.side({"guidance.name": None, "low_res.guidance.name": None})
        if not cascade or cascade.properties.get("low_res.model") in (None, "real"):
            continue
        for scale, both in group.sweep("low_res.guidance.scale").items():
            for guided in whole:
                if scale > 0 and guided.properties["guidance.scale"] == scale and _are_alike(guided, cascade):
                    yield guided, cascade, both


def _are_alike(one: Side, other: Side) -> bool:
    return all(one.properties.get(name) == other.properties.get(name) for name in ALIKE)
