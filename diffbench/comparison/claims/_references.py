"""The distance of samples to training images and to as many test images, with an interval for both kinds of images."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from diffbench.base.plugins import configure, load
from diffbench.base.records import NORMAL_95, Estimate
from diffbench.comparison.claims._contrasts import Contrast, over_seeds
from diffbench.comparison.claims._evidence import Scored, Side
from diffbench.metrics._frechet import Normal, measured
from diffbench.metrics._intervals import mean_variance, student

Pool = np.ndarray


def reference_gap(side: Side, real: Sequence[Scored]) -> Contrast | None:
    """Return FID to training images minus FID to as many test images; None if the features are not here.

    real: the scores of held-out images, from whose files both references come. The interval covers training and
    sampling as other intervals do. The references are the same for all seeds, so their part, from each reference
    image's influence (infinitesimal jackknife), is added to it as independent.
    """
    each, references, scored = [], [], []
    for item in side.scored:
        found = _pools(item, real)
        if found is not None:
            gap, of_references = _gap(*found)
            each.append(gap)
            references.append(of_references)
            scored.append(item)
    if not each:
        return None
    found = over_seeds(each, scored)
    effect, spread = found.effect, NORMAL_95 * math.sqrt(float(np.mean(references)))
    low = effect.value - math.hypot(effect.value - effect.low, spread)
    high = effect.value + math.hypot(effect.high - effect.value, spread)
    joined = Estimate(effect.value, low, high, f"{effect.covers}, and reference images")
    return Contrast(joined, f"{found.method}, joined with the reference images' influence")


def _pools(item: Scored, real: Sequence[Scored]) -> tuple[Pool, Pool, Pool] | None:
    """Return features of samples, of training images and of test images, the last two of equal number."""
    if ";reference=train" not in str(item.record["protocol"]):
        return None
    beside = (one for one in real if one.sha256["reference"] == item.sha256["reference"])
    other = next((one for one in beside if one.record["metric"] == "fid"), None)
    feature = _feature(item)
    found = [item.arrays(name, feature) for name in ("features", "reference")]
    found.append(None if other is None else other.arrays("features", feature))
    if any(one is None for one in found):
        return None
    generated, train, test = (one[0] for one in found if one)
    count = min(len(train), len(test))
    return generated, train[:count], test[:count]


def _feature(item: Scored) -> str:
    chosen: Any = configure(load("metrics", "fid"), item.protocol.metric_settings("fid"), "fid")
    return chosen.features


def _gap(generated: Pool, train: Pool, test: Pool) -> tuple[Estimate, float]:
    """Return the difference with its interval for the generated images, and its variance by the reference images."""
    to_train, to_test = (measured(generated, Normal.of_images(one)) for one in (train, test))
    # The distance is symmetric, so a reference image's influence is that of a generated one with the sides exchanged.
    variances = [mean_variance(measured(one, Normal.of_images(generated)).influence) for one in (train, test)]
    value, influence = to_train.value - to_test.value, to_train.influence - to_test.influence
    return student(value, mean_variance(influence), influence), sum(variances)
