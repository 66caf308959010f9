"""EVAL-1: the bias of FID in the number of generated images."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from diffbench.base.records import FEWEST_SEEDS
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
from diffbench.comparison.pairs import compared_features
from diffbench.metrics._frechet import Normal, distance
from diffbench.metrics._intervals import canonical_order, mean_variance, student
from diffbench.metrics.fid import Fid, reference_normal

PARTS = (1, 2, 4)
"""Into how many parts the images are cut."""
FOLDS = 8
"""How often an eighth of the images is left out, for the interval of a set by itself."""
MARGIN = 0.25
"""How far the ratio of two differences may be from that of a line, as a share of it."""
NEEDS = "features of a sample set, with 4.6 times as many images as features"

Reading = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Eval1(Claim):
    """Whether FID falls with the number of images, on a line in 1/n. For each protocol, one model's samples decide."""

    id = "EVAL-1"
    source = "Nichol and Dhariwal 2021, appendix; Chong and Forsyth 2020, section 3"
    statement = "FID falls with the number of generated images n, on a line in 1/n."

    def __call__(self, evidence: Evidence) -> Iterator[Finding]:
        """Yield a finding on the fall and one on the line, for each protocol."""
        sides = list(_of_each_protocol(evidence))
        curves = {id(item): _curves(item, len(side.scored) < FEWEST_SEEDS) for side in sides for item in side.scored}

        def read(reading: Reading) -> Callable[[Scored], Estimate | None]:
            return lambda item: None if (found := curves[id(item)]) is None else jackknifed(reading(found))

        test = "FID(n / 2) - FID(n) > 0"
        found = (measured_between(side, read(fall), 0, INFINITY, test=test) for side in sides)
        yield from found_or(found, test, NEEDS)
        low, high = 3 * (1 - MARGIN), 3 * (1 + MARGIN)
        test = f"(FID(n / 4) - FID(n)) / (FID(n / 2) - FID(n)) from {low:g} to {high:g}, where a line has 3"
        found = (measured_between(side, read(bend), low, high, test=test) for side in sides)
        yield from found_or(found, test, NEEDS)


def _of_each_protocol(evidence: Evidence) -> Iterator[Side]:
    """Yield the side with most seeds, and then with most steps, under each protocol."""
    sides: dict[str, list[Side]] = {}
    for side in evidence.sides("fid"):
        sides.setdefault(str(side.properties["protocol"]), []).append(side)
    for found in sides.values():
        yield max(found, key=lambda side: (len(side.scored), side.properties["steps"] or 0, side.label))


def fall(curves: np.ndarray) -> np.ndarray:
    """Return how far FID falls from half of the images to all of them. curves: FID by the number of parts."""
    return curves[..., 1] - curves[..., 0]


def bend(curves: np.ndarray) -> np.ndarray:
    """Return the fall from a quarter to all, divided by that from half to all. It is 3 on a line in 1/n."""
    once = fall(curves)
    return np.divide(curves[..., 2] - curves[..., 0], once, out=np.full_like(once, np.nan), where=once != 0)


def jackknifed(values: np.ndarray) -> Estimate:
    """Return the first value with an interval from the others, each of which lacks a part of the images.

    A jackknife counts the second order twice, so the interval is rather too wide. Without others it is the value.
    """
    value, others = float(values[0]), values[1:]
    if len(others) == 0:
        return Estimate(value, value, value)
    influence = (len(others) - 1) * (others.mean() - others)
    return student(value, mean_variance(influence), influence)


def curves_of(x: Float[np.ndarray, "images features"], reference: Normal, *, folds: int = FOLDS) -> np.ndarray:
    """Return FID of images by the number of parts into which a fixed generator cuts them, and then without each fold.

    The mean over the parts has the same first order in the images for every number of parts, so that differences show
    the second order alone, which is the bias (see metrics/fid_infinity.py).
    """
    draws, ordered = np.random.Generator(np.random.PCG64(0)), x[canonical_order(x)]
    cuts = [np.array_split(draws.permutation(len(x)), count) for count in PARTS]
    fold = draws.permutation(len(x)) % FOLDS
    kept = [np.ones(len(x), bool), *(fold != number for number in range(folds))]
    return np.array([[_mean_fid(ordered, reference, parts, chosen) for parts in cuts] for chosen in kept])


def _mean_fid(x: np.ndarray, reference: Normal, parts: Sequence[np.ndarray], kept: np.ndarray) -> float:
    return float(np.mean([distance(Normal.of_images(x[part[kept[part]]]), reference) for part in parts]))


def _curves(item: Scored, alone: bool) -> np.ndarray | None:
    """Return the curves of a set; None if its features are not here, or are too few. alone: whether it has no spread.

    Every part must have more images than features, or its bias bends.
    """
    if item.arrays("features") is None or item.arrays("reference") is None:
        return None
    files = item.files["features"], item.files["reference"]
    metric, own, real = compared_features("fid", Fid, item.protocol, *files)
    if metric.features not in own:
        return None
    x = own[metric.features][: item.record["num_images"]]
    if len(x) * (1 - 1 / FOLDS) < PARTS[-1] * (x.shape[1] + 2):
        return None
    return curves_of(x, reference_normal(real, metric.features), folds=FOLDS if alone else 0)
