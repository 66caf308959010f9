"""EVAL-1: the bias of FID in the number of generated images."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from diffbench.base.arrays import member_names, read_member
from diffbench.base.plugins import configure, load
from diffbench.base.provenance_file import provenance_path, read_recorded
from diffbench.comparison.claims import (
    INFINITY,
    Claim,
    Estimate,
    Evidence,
    Finding,
    Scored,
    Side,
    found_or,
    measured_between,
)
from diffbench.jobs.score import ProtocolPart
from diffbench.metrics._frechet import Normal, distance, measured
from diffbench.metrics._intervals import canonical_order
from diffbench.metrics.fid import reference_normal

PARTS = (1, 2, 4)
"""Into how many parts the images are cut. Each part must have more images than features, or its bias bends."""
MARGIN = 0.25
"""How far the ratio of two differences may be from that of a line, as a share of it."""
NEEDS = "features of a sample set, with four times as many images as features"


@dataclass(frozen=True)
class Eval1(Claim):
    """Whether FID falls with the number of images, on a line in 1/n. It is read from each model's most steps."""

    id = "EVAL-1"
    source = "Nichol and Dhariwal 2021, appendix; Chong and Forsyth 2020, section 3"
    statement = "FID falls with the number of generated images n, on a line in 1/n."

    def __call__(self, evidence: Evidence) -> Iterator[Finding]:
        """Yield a finding on the fall and one on the line, for each model and protocol."""
        sides = list(_of_each_model(evidence))
        curves = {id(item): _curve(item) for side in sides for item in side.scored}
        test = "FID(n / 2) - FID(n) > 0"
        found = (measured_between(side, _reading(curves, fall), 0, INFINITY, test=test) for side in sides)
        yield from found_or(found, test, NEEDS)
        low, high = (3 * (1 - MARGIN), 3 * (1 + MARGIN))
        test = f"(FID(n / 4) - FID(n)) / (FID(n / 2) - FID(n)) from {low:g} to {high:g}, where a line has 3"
        found = (measured_between(side, _reading(curves, bend), low, high, test=test) for side in sides)
        yield from found_or(found, test, NEEDS)


@dataclass(frozen=True)
class Curve:
    """FID of all images, and its means over two halves and over four quarters. second_order: the variance of its bias.

    Cut into K parts at random, the mean differs from FID of all by a term of variance (K - 1) second_order, since
    its first order in the images is the same (see metrics/fid_infinity.py).
    """

    values: tuple[float, ...]
    second_order: float


def _of_each_model(evidence: Evidence) -> Iterator[Side]:
    """Yield the side with most steps of all that differ only in how they were sampled."""
    ways = ("sampler.name", "guidance.name", "labels.name", "steps", "spacing", "off_grid")
    for group in evidence.groups("fid", ways):
        most = max(item.properties["steps"] for item in group.scored)
        rows = sorted({item.label for item in group.scored if item.properties["steps"] == most})
        yield Side.of(item for item in group.scored if item.label == rows[0])


def _reading(curves: dict[int, Curve | None], read: Callable[[Curve], Estimate]) -> Callable[[Scored], Estimate | None]:
    def reading(item: Scored) -> Estimate | None:
        curve = curves[id(item)]
        return None if curve is None else read(curve)

    return reading


def fall(curve: Curve) -> Estimate:
    """Return how far FID falls from half of the images to all of them."""
    whole, halves, _ = curve.values
    return Estimate.normal(halves - whole, curve.second_order**0.5)


def bend(curve: Curve) -> Estimate:
    """Return the fall from a quarter to all, divided by that from half to all. It is 3 on a line in 1/n."""
    whole, halves, quarters = curve.values
    once, thrice = halves - whole, quarters - whole
    if once == 0:
        return Estimate.normal(float("nan"), float("nan"))
    # The differences of two independent cuts have the variances 1 and 3 times the second order (delta method).
    error = (curve.second_order * (3 + (thrice / once) ** 2)) ** 0.5 / abs(once)
    return Estimate.normal(thrice / once, error)


def curve_of(x: Float[np.ndarray, "images features"], reference: Normal) -> Curve:
    """Return FID of images by the number of parts into which a fixed generator cuts them."""
    draws, ordered = np.random.Generator(np.random.PCG64(0)), x[canonical_order(x)]
    values = [
        float(np.mean([distance(Normal.of_images(ordered[part]), reference) for part in parts]))
        for parts in (np.array_split(draws.permutation(len(x)), count) for count in PARTS)
    ]
    return Curve(tuple(values), measured(x, reference).second_order)


def _curve(item: Scored) -> Curve | None:
    """Return the curve of a set; None if its features are not here, or are too few."""
    made = read_recorded(provenance_path(item.files["scores"]))
    protocol = ProtocolPart.read(made["spec"]["protocol"], "protocol").configured()
    metric: Any = configure(load("metrics", "fid"), protocol.metric_settings("fid"), "fid")
    found = item.arrays("features", metric.features)
    if found is None or item.arrays("reference") is None:
        return None
    x = found[0][: item.record["num_images"]]
    if len(x) < PARTS[-1] * (x.shape[1] + 2):
        return None
    path = item.files["reference"]
    real = {name: read_member(path, name) for name in member_names(path)}
    if metric.features in real:
        real[metric.features] = real[metric.features][: protocol.reference_images(len(real[metric.features]))]
    return curve_of(x, reference_normal(real, metric.features))
