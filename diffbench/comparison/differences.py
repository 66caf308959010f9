"""Differences to a baseline: each sampler against one on the same model, each model against one with the same sampler.

Both sides have the same number of steps, and of their seeds those count that they have in common.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from diffbench.comparison.judged import protocol_fields
from diffbench.comparison.metrics import OF_A_MODEL, higher_is_better, ideal_of, known_metrics
from diffbench.comparison.pairs import Pairs
from diffbench.comparison.verdicts import Verdict, paired
from diffbench.jobs.differences import DifferencesJob, Variant
from diffbench.jobs.tabulate import ComparedSet

Records = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Difference:
    """The verdict for a metric on one variant against another. verdict: None if a side has no finite score.

    compared: "sampler" or "model", the only one of the two in which the sides differ. own, baseline: a record of each
    side, which says what it is of.
    """

    compared: str
    metric: str
    own: Mapping[str, Any]
    baseline: Mapping[str, Any]
    verdict: Verdict | None


def differences(job: DifferencesJob, records: Mapping[str, Records], pairs: Pairs) -> list[Difference]:
    """Return the differences that a job asks for. records: those in each file of scores, by its path."""
    variants: dict[Variant, dict[str, list[ComparedSet]]] = {}
    for item in job.sets:
        own = variants.setdefault((item.model, item.sampler, item.steps), {})
        own.setdefault(item.protocol, []).append(item)
    found = []
    for compared, own, baseline in job.asked():
        seen: set[tuple[str, Any]] = set()
        for a in variants[own].values():
            for metric in _metrics(records[a[0].scores]):
                b = _comparable(a, variants[baseline].values(), records, metric)
                key = (metric, records[a[0].scores][0]["protocol"])
                if b and key not in seen:
                    seen.add(key)
                    found.append(_difference(compared, metric, a, b, records, pairs))
    return found


def _metrics(records: Records) -> list[str]:
    known = set(known_metrics()) - set(OF_A_MODEL)
    return [name for name in dict.fromkeys(item["metric"] for item in records) if name in known]


def _comparable(
    a: Sequence[ComparedSet], others: Iterable[Sequence[ComparedSet]], records: Mapping[str, Records], metric: str
) -> Sequence[ComparedSet]:
    """Return those sets of the baseline that were measured alike, with only those seeds that both sides have."""
    for b in others:
        one, other = (_record(records[side[0].scores], metric) for side in (a, b))
        alike = one and other and protocol_fields(one["protocol"], metric) == protocol_fields(other["protocol"], metric)
        if alike and (len(a) == 1 or len(b) == 1 or {_seeds(x) for x in a} & {_seeds(x) for x in b}):
            return b
    return []


def _difference(
    compared: str,
    metric: str,
    a: Sequence[ComparedSet],
    b: Sequence[ComparedSet],
    records: Mapping[str, Records],
    pairs: Pairs,
) -> Difference:
    one, other = ({_seeds(item): _record(records[item.scores], metric) for item in side} for side in (a, b))
    first = next(iter(one.values())), next(iter(other.values()))
    numbers = [item[key] for item in (*one.values(), *other.values()) for key in ("value", "low", "high")]
    verdict = None
    if all(math.isfinite(number) for number in numbers):
        of = {_seeds(item): item for item in b}
        both = [(item, of[_seeds(item)]) for item in a if _seeds(item) in of]
        known = {
            _seeds(x): found
            for x, y in both
            if (found := pairs.difference(metric, x, y, one[_seeds(x)]["value"] - other[_seeds(x)]["value"]))
        }
        better, ideal, sides = higher_is_better(metric), ideal_of(metric), map(list, (one.values(), other.values()))
        verdict = paired(*sides, higher_is_better=better, ideal=ideal, differences=known)
    return Difference(compared, metric, *first, verdict)


def _record(records: Records, metric: str) -> Mapping[str, Any]:
    """Return the record of a metric in a file of scores; an empty one if there is none."""
    return next((item for item in records if item["metric"] == metric), {})


def _seeds(item: ComparedSet) -> tuple[int, int]:
    return item.train_seed, item.sample_seed
