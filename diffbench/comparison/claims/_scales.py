"""Sweeps of a guidance's scale for few steps of DDIM and for many ancestral steps of the same model."""

from collections.abc import Iterator
from statistics import fmean

from diffbench.comparison.claims._evidence import Evidence, Group, Properties, Side, has

FEW, MANY = 25, 250
NEEDS = f"a guided model at two scales or more, by DDIM in {FEW} steps and by ancestral sampling in {MANY} or more"

Scales = dict[float, Side]


def few_and_many(evidence: Evidence) -> Iterator[tuple[Scales, Scales]]:
    """Yield the sides by their scales, at least two: of DDIM with eta 0, and of ancestral sampling.

    The steps of DDIM may be uniform or by its own stride ("ddim25"), which is the paper's.
    """
    varies = ("sampler.name", "steps", "spacing", "guidance.scale")
    for group in evidence.groups("fid", varies, {"guidance.name": "classifier"}):
        uniform = {"sampler.name": "ancestral", "spacing": "uniform"}
        many = [_scales(group, {**uniform, "steps": steps}) for steps in _steps(group) if steps >= MANY]
        ddim = {"sampler.name": "ddim", "sampler.eta": 0.0, "steps": FEW}
        few = [_scales(group, {**ddim, "spacing": spacing}) for spacing in ("uniform", "ddim")]
        yield from ((a, b) for a in few for b in many if len(a) > 1 and len(b) > 1)


def lowest(sides: Scales) -> float:
    """Return the scale whose mean score is lowest."""
    return min(sides, key=lambda scale: fmean(one.estimate.value for one in sides[scale].scored))


def _steps(group: Group) -> list[int]:
    return sorted({item.properties["steps"] for item in group.scored})


def _scales(group: Group, wanted: Properties) -> Scales:
    return Group([item for item in group.scored if has(item.properties, wanted)]).sweep("guidance.scale")
