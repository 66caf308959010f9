"""Sweeps of a guidance's scale for few steps of DDIM and for many ancestral steps of the same model."""

from collections.abc import Iterator
from statistics import fmean

from diffbench.comparison.claims._evidence import Evidence, Group, Side

FEW, MANY = 25, 250
NEEDS = f"a guided model at two scales or more, by DDIM in {FEW} steps and by ancestral sampling in {MANY} or more"

Scales = dict[float, Side]


def few_and_many(evidence: Evidence) -> Iterator[tuple[Scales, Scales]]:
    """Yield the sides by their scales, at least two: of DDIM with eta 0, and of ancestral sampling."""
    varies = ("sampler.name", "steps", "guidance.scale")
    for group in evidence.groups("fid", varies, {"guidance.name": "classifier"}):
        few = _scales(group, "ddim", FEW)
        for steps in sorted({item.properties["steps"] for item in group.scored}):
            many = _scales(group, "ancestral", steps)
            if steps >= MANY and len(few) > 1 and len(many) > 1:
                yield few, many


def lowest(sides: Scales) -> float:
    """Return the scale whose mean score is lowest."""
    return min(sides, key=lambda scale: fmean(one.estimate.value for one in sides[scale].scored))


def _scales(group: Group, sampler: str, steps: int) -> Scales:
    of = Group([one for one in group.scored if one.properties["sampler.name"] == sampler])
    deterministic = Group([one for one in of.scored if one.properties.get("sampler.eta", 0.0) == 0.0])
    return Group([one for one in deterministic.scored if one.properties["steps"] == steps]).sweep("guidance.scale")
