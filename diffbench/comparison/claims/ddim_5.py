"""DDIM-5: the same noise gives the same image at any number of steps."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from diffbench.comparison.claims import (
    INFINITY,
    Claim,
    Estimate,
    Evidence,
    Finding,
    Scored,
    Side,
    against,
    found_or,
    mean_over_images,
    measured_between,
)
from diffbench.comparison.claims._bands import band, correlations

FEW = (20, 50)
"""The numbers of steps that count as few: from 20, which the test was written for."""
TIMES = 4
"""How many times as many steps are many. The test was written for 50 times, of a chain of 1000."""
NEEDS = (
    f"a model's samples by ddim with eta 0 in {FEW[0]} to {FEW[1]} and in {TIMES} times as many steps, images included"
)

Measure = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Ddim5(Claim):
    """Whether the images from equal noise correlate, and more so in their low frequencies. All pixels are bytes."""

    id = "DDIM-5"
    source = "Song et al. 2021 (DDIM), section 5.2 and figure 5"
    statement = "The same noise gives the same large features of an image at any number of steps."

    def __call__(self, evidence: Evidence) -> Iterator[Finding]:
        """Yield a finding on whole images and one on their bands, for each model and few steps."""
        pairs = list(_pairs(evidence))
        test = "mean correlation of the images of few and of many steps > 0.8"
        yield from found_or((_found(*pair, correlations, 0.8, test) for pair in pairs), test, NEEDS)
        test = "correlation of the low frequencies - that of the high ones > 0"
        yield from found_or((_found(*pair, _lead_of_low, 0.0, test) for pair in pairs), test, NEEDS)


def _pairs(evidence: Evidence) -> Iterator[tuple[Side, Side]]:
    """Yield the sides of few and of most steps. One sample set may be scored under several protocols."""
    where = {"sampler.name": "ddim", "sampler.eta": 0.0}
    for sides in evidence.sweeps("nfe", "steps", 2, ("protocol", "num_images"), where):
        most = max(sides)
        few = (steps for steps in sides if FEW[0] <= steps <= FEW[1] and TIMES * steps <= most)
        yield from ((sides[steps], sides[most]) for steps in few)


def _found(few: Side, many: Side, measure: Measure, margin: float, test: str) -> Finding | None:
    of = {item.seeds: item for item in many.scored}

    def measured(item: Scored) -> Estimate | None:
        other = of.get(item.seeds)
        if other is None or item.sha256.get("weights") != other.sha256.get("weights"):
            return None
        images = [found[0] for one in (item, other) if (found := one.arrays("samples", "arr_0")) is not None]
        if len(images) < 2 or images[0].shape != images[1].shape:
            return None
        values = measure(*images)
        kept = values[np.isfinite(values)]
        return mean_over_images(kept) if len(kept) > 1 else None

    found = measured_between(few, measured, margin, INFINITY, test=test)
    return None if found is None else replace(found, on=against(few, many))


def _lead_of_low(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    low, high = (correlations(*(band(images, low=is_low) for images in (a, b))) for is_low in (True, False))
    return low - high
