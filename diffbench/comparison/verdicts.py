"""Verdicts on whether A is better than B, from records of both: better, worse, or not resolved.

The interval of the difference a - b decides. It is made by the first of these methods that applies:

1. Three common training seeds or more: Student's interval over the differences, which covers training and sampling.
   A verdict between models needs this, because another seed gives other weights.
2. Three common sampling seeds or more: Student's interval over the differences, for these weights only.
3. The caller knows intervals of the differences, as for sets whose images are pairs: those intervals.
4. Otherwise: the intervals of the two scores, joined as if their images were independent. For sets made from the same
   noise they are not, and the difference varies less, so the joined interval is too wide rather than too narrow.

Differences that are equal over all seeds do not count as a spread, and the next method is used.
Source: Zou and Donner 2008, "Construction of confidence limits about effect measures", for joining two intervals.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any

from diffbench.base.errors import UserError
from diffbench.base.records import FEWEST_SEEDS, Estimate

FILE = "verdicts.csv"
"""The file of verdicts on samplers, the only artifact in a tree that no job of the workflow makes."""

OWN = "the scores' own intervals"

Records = Sequence[Mapping[str, Any]]
"""Records of one metric that differ only in their seeds."""


@dataclass(frozen=True)
class Verdict:
    """The outcome, the difference a - b with its interval, the estimates of both sides, and the interval's method."""

    outcome: str
    difference: Estimate
    a: Estimate
    b: Estimate
    method: str


def paired(
    a: Records,
    b: Records,
    *,
    higher_is_better: bool,
    ideal: float | None = None,
    differences: Mapping[tuple[Any, Any], Estimate] | None = None,
) -> Verdict:
    """Return the verdict on a against b, which is resolved if the interval of their difference excludes 0.

    ideal: the metric's best value, if it has one. The difference is then that of the distances to it, and the nearer
    side is better. differences: a - b with its interval, by (train seed, sample seed), if narrower ones are known than
    from the scores.
    Raises: UserError if both have several seeds but none in common.
    """
    if ideal is not None:
        distances = ([_distance(record, ideal) for record in side] for side in (a, b))
        verdict = paired(*distances, higher_is_better=False)
        shared = {_seeds(x) for x in a} & {_seeds(x) for x in b}
        a, b = ([x for x in side if not shared or _seeds(x) in shared] for side in (a, b))
        return replace(verdict, a=over_seeds(a), b=over_seeds(b))
    common = [(x, y) for x in a for y in b if _seeds(x) == _seeds(y)]
    if common:
        a, b = [x for x, _ in common], [y for _, y in common]
        known = differences or {}
        values = [known.get(_seeds(x)) or joined(own(x), own(y)) for x, y in common]
        difference, method = combined(values, a)
        if method == OWN and all(_seeds(x) in known for x in a):
            method = "paired image by image"
    elif len(a) > 1 and len(b) > 1:
        raise UserError(f"no common seeds: {_listed(a)} against {_listed(b)}; sample both with the same seeds")
    else:
        difference, method = joined(over_seeds(a), over_seeds(b)), "no common seeds, the two intervals joined"
    return Verdict(_outcome(difference, higher_is_better), difference, over_seeds(a), over_seeds(b), method)


def over_seeds(records: Records) -> Estimate:
    """Return the mean over seeds, with an interval from their spread if possible, else from their own intervals."""
    return combined([own(record) for record in records], records)[0]


def _distance(record: Mapping[str, Any], ideal: float) -> Mapping[str, Any]:
    """Return a record of a score's distance to the best value; if the interval holds that value, it begins at 0."""
    value, low, high = (record[key] - ideal for key in ("value", "low", "high"))
    ends = sorted((abs(low), abs(high)))
    return {**record, "value": abs(value), "low": 0.0 if low <= 0 <= high else ends[0], "high": ends[1]}


def _outcome(difference: Estimate, higher_is_better: bool) -> str:
    if difference.low <= 0 <= difference.high:
        return "not resolved"
    return "better" if (difference.low > 0) == higher_is_better else "worse"


def combined(values: Sequence[Estimate], records: Records, *, tests: int = 1) -> tuple[Estimate, str]:
    """Return the mean of estimates, one for each of the records, and how its interval was made.

    tests: the number of intervals that are looked at together. Each is so wide that all of them hold in 95 % of the
    cases (Bonferroni).
    """
    level = 1 - 0.025 / tests
    means = {key: _means(values, records, key) for key in ("train_seed", "sample_seed")}
    for key, word, covers in (
        ("train_seed", "training", "training and sampling"),
        ("sample_seed", "sampling", "sampling, for these weights"),
    ):
        count = len(means[key])
        mean = math.fsum(means[key]) / count
        # Shares of few images can be equal over seeds by chance. Their spread is then 0, which says nothing.
        equal = all(math.isclose(value, mean, rel_tol=1e-9, abs_tol=1e-12) for value in means[key])
        if count >= FEWEST_SEEDS and not equal:
            spread = math.sqrt(math.fsum((value - mean) ** 2 for value in means[key]) / (count - 1) / count)
            from scipy.special import stdtrit  # slow to import, and most comparisons have too few seeds

            margin = float(stdtrit(count - 1, level)) * spread
            return Estimate(mean, mean - margin, mean + margin, covers), f"Student's over {count} {word} seeds"
    count, wider = len(values), NormalDist().inv_cdf(level) / NormalDist().inv_cdf(0.975)
    mean = math.fsum(value.value for value in values) / count
    below = wider * math.hypot(*(value.value - value.low for value in values)) / count
    above = wider * math.hypot(*(value.high - value.value for value in values)) / count
    covers = "nothing" if all(value.covers == "nothing" for value in values) else "sampling, for these weights"
    return Estimate(mean, mean - below, mean + above, covers), OWN


def _means(values: Sequence[Estimate], records: Records, key: str) -> list[float]:
    groups: dict[Any, list[float]] = defaultdict(list)
    for value, record in zip(values, records, strict=True):
        groups[record[key]].append(value.value)
    return [math.fsum(group) / len(group) for group in groups.values()]


def joined(a: Estimate, b: Estimate) -> Estimate:
    """Return the difference of two independent estimates."""
    difference = a.value - b.value
    low = difference - math.hypot(a.value - a.low, b.high - b.value)
    high = difference + math.hypot(a.high - a.value, b.value - b.low)
    covers = sorted({a.covers, b.covers} - {"nothing"}) or ["nothing"]
    return Estimate(difference, low, high, "; ".join(covers))


def own(record: Mapping[str, Any]) -> Estimate:
    """Return a record's number with its own interval."""
    return Estimate(record["value"], record["low"], record["high"], record["covers"])


def _seeds(record: Mapping[str, Any]) -> tuple[Any, Any]:
    return record["train_seed"], record["sample_seed"]


def _listed(records: Records) -> str:
    return ", ".join("train {} sample {}".format(*_seeds(record)) for record in records)
