"""Verdicts on samplers against a baseline, from the scores of their sample sets."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from diffbench.comparison.judged import compared
from diffbench.comparison.pairs import Pairs
from diffbench.comparison.verdicts import Verdict

COSTS = ("nfe", "classifier_evaluations")
"""Costs of an image that are counted while sampling."""


@dataclass(frozen=True)
class Answer:
    """The verdict for one candidate, model, number of steps and metric, and what an image cost on each side."""

    model: str
    steps: int
    candidate: str
    baseline: str
    metric: str
    verdict: Verdict
    candidate_costs: dict[str, float]
    baseline_costs: dict[str, float]


def answered(
    records: Sequence[Mapping[str, Any]],
    places: Iterable[tuple[str, int]],
    samplers: Mapping[str, str],
    metrics: Sequence[str],
    pairs: Pairs | None = None,
) -> list[Answer]:
    """Return the verdicts, in the order of metrics, then places, then candidates.

    records: those of the compared sets; held-out real images may be among them. places: models and numbers of steps.
    samplers: the name of each sampler in the records, by the text with which the user asked for it; the last one is the
    baseline. pairs: the sets with their features, for narrower intervals.
    """
    *candidates, (asked, baseline) = samplers.items()
    places = list(dict.fromkeys(places))
    answers = []
    for metric in metrics:
        for model, steps in places:
            for text, name in candidates:
                both = (name, baseline)
                known = pairs and pairs.differences(records, metric, model, steps, both)
                a, b = (f"{model}/{sampler}/{steps}" for sampler in both)
                verdict = compared(records, a, b, metric, differences=known)
                own, other = (costs_of(records, model, sampler, steps) for sampler in both)
                answers.append(Answer(model, steps, text, asked, metric, verdict, own, other))
    return answers


def costs_of(records: Sequence[Mapping[str, Any]], model: str, sampler: str, steps: int) -> dict[str, float]:
    """Return each cost of an image of a set, averaged over seeds."""
    where = {"model": model, "sampler": sampler, "steps": steps}
    own = [item for item in records if all(item[key] == value for key, value in where.items())]
    found = {cost: [item["value"] for item in own if item["metric"] == cost] for cost in COSTS}
    return {cost: math.fsum(values) / len(values) for cost, values in found.items() if values}
