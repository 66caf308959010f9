"""Is A better than B? Three answers, from records of both on common seeds: better, worse, not resolved.

A verdict between models needs several trainings, for another seed gives other weights. With three common training
seeds or more, the interval is Student's over their differences and covers training and sampling. With fewer, or where
these are equal to the last digit, the verdict is for these weights: Student's over the differences of three common
sampling seeds or more, else intervals of the differences themselves where the caller knows them, as of sets whose
images are pairs; else the two scores' own intervals, joined as if their images were independent. Sets made from the
same noise are not; their difference then varies less than that, so this is the careful side.
Source: Zou and Donner 2008, "Construction of confidence limits about effect measures", for joining two intervals.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from diffbench.base.errors import UserError
from diffbench.base.records import Estimate

FILE = "verdicts.csv"
"""What `diffbench compare` concludes on samplers: the one artifact in a tree that no job of the workflow makes."""

FEWEST_SEEDS = 3
"""Seeds from which on their spread is worth an interval: with two, Student's quantile is 12.7."""

OWN = "the scores' own intervals"

Records = Sequence[Mapping[str, Any]]
"""Records of one metric that differ in their seeds alone."""


@dataclass(frozen=True)
class Verdict:
    """The outcome, the difference a - b with its interval, both sides' own estimates, and how the interval was made."""

    outcome: str
    difference: Estimate
    a: Estimate
    b: Estimate
    method: str


def paired(
    a: Records, b: Records, *, higher_is_better: bool, differences: Mapping[tuple[Any, Any], Estimate] | None = None
) -> Verdict:
    """Return whether a is better than b: whether the interval of their difference excludes 0.

    differences: a - b with its interval, by (train seed, sample seed), where it is known better than from both scores.
    Raises: UserError where both have several seeds, and none in common.
    """
    common = [(x, y) for x in a for y in b if _seeds(x) == _seeds(y)]
    if common:
        a, b = [x for x, _ in common], [y for _, y in common]
        known = differences or {}
        values = [known.get(_seeds(x)) or _joined(_own(x), _own(y)) for x, y in common]
        difference, method = _over_seeds(values, a)
        if method == OWN and all(_seeds(x) in known for x in a):
            method = "paired image by image"
    elif len(a) > 1 and len(b) > 1:
        raise UserError(f"no common seeds: {_listed(a)} against {_listed(b)}; sample both with the same seeds")
    else:
        difference, method = _joined(over_seeds(a), over_seeds(b)), "no common seeds, the two intervals joined"
    return Verdict(_outcome(difference, higher_is_better), difference, over_seeds(a), over_seeds(b), method)


def over_seeds(records: Records) -> Estimate:
    """Return the mean over seeds, its interval by their spread where they are enough and differ, else by their own."""
    return _over_seeds([_own(record) for record in records], records)[0]


def _outcome(difference: Estimate, higher_is_better: bool) -> str:
    if difference.low <= 0 <= difference.high:
        return "not resolved"
    return "better" if (difference.low > 0) == higher_is_better else "worse"


def _over_seeds(values: Sequence[Estimate], records: Records) -> tuple[Estimate, str]:
    """Return the mean of estimates that stand for the records' seeds, and how its interval was made."""
    means = {key: _means(values, records, key) for key in ("train_seed", "sample_seed")}
    for key, word, covers in (
        ("train_seed", "training", "training and sampling"),
        ("sample_seed", "sampling", "sampling, for these weights"),
    ):
        count = len(means[key])
        mean = math.fsum(means[key]) / count
        # Shares of few images can be equal over seeds by chance: then their spread, 0, says nothing.
        equal = all(math.isclose(value, mean, rel_tol=1e-9, abs_tol=1e-12) for value in means[key])
        if count >= FEWEST_SEEDS and not equal:
            spread = math.sqrt(math.fsum((value - mean) ** 2 for value in means[key]) / (count - 1) / count)
            from scipy.special import stdtrit  # slow to import, and most comparisons have too few seeds

            margin = float(stdtrit(count - 1, 0.975)) * spread
            return Estimate(mean, mean - margin, mean + margin, covers), f"Student's over {count} {word} seeds"
    count = len(values)
    mean = math.fsum(value.value for value in values) / count
    below = math.hypot(*(value.value - value.low for value in values)) / count
    above = math.hypot(*(value.high - value.value for value in values)) / count
    covers = "nothing" if all(value.covers == "nothing" for value in values) else "sampling, for these weights"
    return Estimate(mean, mean - below, mean + above, covers), OWN


def _means(values: Sequence[Estimate], records: Records, key: str) -> list[float]:
    groups: dict[Any, list[float]] = defaultdict(list)
    for value, record in zip(values, records, strict=True):
        groups[record[key]].append(value.value)
    return [math.fsum(group) / len(group) for group in groups.values()]


def _joined(a: Estimate, b: Estimate) -> Estimate:
    """Return the difference of independent estimates."""
    difference = a.value - b.value
    low = difference - math.hypot(a.value - a.low, b.high - b.value)
    high = difference + math.hypot(a.high - a.value, b.value - b.low)
    covers = sorted({a.covers, b.covers} - {"nothing"}) or ["nothing"]
    return Estimate(difference, low, high, "; ".join(covers))


def _own(record: Mapping[str, Any]) -> Estimate:
    return Estimate(record["value"], record["low"], record["high"], record["covers"])


def _seeds(record: Mapping[str, Any]) -> tuple[Any, Any]:
    return record["train_seed"], record["sample_seed"]


def _listed(records: Records) -> str:
    return ", ".join("train {} sample {}".format(*_seeds(record)) for record in records)
