"""Differences and ratios of two sides with 95 % intervals, over their common seeds.

With three training seeds or more, the interval is Student's over the seeds, and covers training and sampling. With
fewer it is made image by image if the images of both sides are pairs: samples from the same noise under a Frechet
distance, or codelengths of the same images. Otherwise the two own intervals are joined as if they were independent.
A ratio is that of geometric means: the difference of logarithms, each of whose intervals is the score's own interval
divided by the score (delta method).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from diffbench.base.plugins import load
from diffbench.base.records import FEWEST_SEEDS, Estimate
from diffbench.comparison.claims._evidence import Scored, Side
from diffbench.comparison.metrics import OF_A_MODEL
from diffbench.comparison.pairs import influence_of
from diffbench.comparison.verdicts import OWN, combined, joined
from diffbench.metrics._intervals import mean_variance, student
from diffbench.metrics.fid import Fid

PAIRED = "paired image by image"
OVER_IMAGES = "over images"
NAN = float("nan")


@dataclass(frozen=True)
class Contrast:
    """An effect with its interval, and how the interval was made. It is not finite if a score is not."""

    effect: Estimate
    method: str


def difference(a: Side, b: Side, *, tests: int = 1) -> Contrast | None:
    """Return a - b over the common seeds; None if there are none.

    tests: the number of intervals that are looked at together, for Bonferroni's correction.
    """
    return _contrast(a, b, logarithm=False, tests=tests)


def ratio(a: Side, b: Side, *, tests: int = 1) -> Contrast | None:
    """Return a / b over the common seeds; None if there are none. Both must be positive to have a finite ratio."""
    found = _contrast(a, b, logarithm=True, tests=tests)
    if found is None:
        return None
    value, low, high = (math.exp(end) for end in (found.effect.value, found.effect.low, found.effect.high))
    return Contrast(Estimate(value, low, high, found.effect.covers), f"{found.method}, of logarithms")


def over_seeds(values: Sequence[Estimate], scored: Sequence[Scored], *, tests: int = 1) -> Contrast:
    """Return the mean of estimates, one for each of the scores, which says what their seeds are.

    With fewer than three training seeds its interval is made from those of the estimates, which are over images.
    """
    effect, method = combined(values, [item.record for item in scored], tests=tests)
    return Contrast(effect, OVER_IMAGES if method == OWN else method)


def mean_over_images(values: np.ndarray) -> Estimate:
    """Return the mean of one number for each image, with Student's interval."""
    return student(float(values.mean()), mean_variance(values), values)


def ratio_of_sums(numerator: np.ndarray, denominator: np.ndarray) -> Estimate:
    """Return the sum of one number an image divided by that of another, with its interval by the delta method."""
    value = float(numerator.mean() / denominator.mean())
    influence = (numerator - value * denominator) / denominator.mean()
    return student(value, mean_variance(influence), influence)


def common(a: Side, b: Side) -> list[tuple[Scored, Scored]]:
    """Return the scores of both sides that have equal seeds."""
    of = {item.seeds: item for item in b.scored}
    return [(item, of[item.seeds]) for item in a.scored if item.seeds in of]


def _contrast(a: Side, b: Side, *, logarithm: bool, tests: int) -> Contrast | None:
    both = common(a, b)
    if not both:
        return None
    scores = [item.estimate for pair in both for item in pair]
    if not all(math.isfinite(end) for one in scores for end in (one.value, one.low, one.high)):
        return Contrast(Estimate(NAN, NAN, NAN, "nothing"), "none: a score is not a number")
    if logarithm and min(one.value for one in scores) <= 0:
        return Contrast(Estimate(NAN, NAN, NAN, "nothing"), "none: a score is not positive")
    few = len({x.seeds[0] for x, _ in both}) < FEWEST_SEEDS
    pairs = [_image_by_image(x, y, logarithm) if few else None for x, y in both]
    values = [pair or _of_scores(x, y, logarithm) for pair, (x, y) in zip(pairs, both, strict=True)]
    effect, method = combined(values, [x.record for x, _ in both], tests=tests)
    return Contrast(effect, PAIRED if method == OWN and all(pairs) else method)


def _of_scores(a: Scored, b: Scored, logarithm: bool) -> Estimate:
    one, other = a.estimate, b.estimate
    return joined(_logarithm(one), _logarithm(other)) if logarithm else joined(one, other)


def _logarithm(estimate: Estimate) -> Estimate:
    value = math.log(estimate.value)
    below, above = (estimate.value - estimate.low) / estimate.value, (estimate.high - estimate.value) / estimate.value
    return Estimate(value, value - below, value + above, estimate.covers)


def _image_by_image(a: Scored, b: Scored, logarithm: bool) -> Estimate | None:
    """Return a contrast whose interval is from pairs of images; None if the images of both sides are no pairs."""
    one, other = ((_codelengths if a.record["metric"] in OF_A_MODEL else _influence)(item) for item in (a, b))
    if one is None or other is None or one.shape != other.shape:
        return None
    x, y = a.estimate.value, b.estimate.value
    each = one / x - other / y if logarithm else one - other
    value = math.log(x / y) if logarithm else x - y
    return student(value, mean_variance(each), each)


def _influence(item: Scored) -> np.ndarray | None:
    """Return each image's influence on a Frechet distance; None for other metrics and where features are missing."""
    part: Any = load("metrics", item.record["metric"])
    if not issubclass(part, Fid) or item.arrays("features") is None or item.arrays("reference") is None:
        return None
    return _known_influence(item)


# Several claims compare the same sample sets. Whether the files are still those of the score is asked every time.
@lru_cache(maxsize=256)
def _known_influence(item: Scored) -> np.ndarray:
    metric = item.record["metric"]
    return influence_of(metric, load("metrics", metric), item.protocol, item.files["features"], item.files["reference"])


def _codelengths(item: Scored) -> np.ndarray | None:
    """Return the codelength of each test image in bits per dimension; None where the terms are missing."""
    found = item.arrays("terms_test", "bits_per_dim") if item.record["metric"] == "nll_bits_per_dim" else None
    return None if found is None else found[0]
