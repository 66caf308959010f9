"""Verdicts on samplers from the scores of their sample sets, as text and as a table."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from diffbench.base.arrays import member_names, read_member
from diffbench.base.errors import UserError
from diffbench.base.inputs import Inputs, checked
from diffbench.base.plugins import configure, load
from diffbench.base.provenance import write_provenance
from diffbench.base.provenance_file import way_out
from diffbench.base.records import Estimate
from diffbench.base.writing import replacing
from diffbench.benchmark.benchmark import Benchmark
from diffbench.commands.compare.run import compared
from diffbench.commands.compare_samplers.question import Laid
from diffbench.comparison.verdicts import FILE, Verdict
from diffbench.metrics._pairs import Influence, influence_on_fid, paired_difference
from diffbench.metrics.fid import Fid

COSTS = ("nfe", "classifier_evaluations")
"""Counted while sampling, an image."""


@dataclass(frozen=True)
class Answer:
    """The verdict on one candidate, model, number of steps and metric, and what an image cost either side."""

    model: str
    steps: int
    candidate: str
    baseline: str
    metric: str
    verdict: Verdict
    candidate_costs: dict[str, float]
    baseline_costs: dict[str, float]


@dataclass
class Pairs:
    """Differences of Frechet distances between sets from the same noise, paired image by image.

    sets: where each set's scores lie, its features, and those of its reference, below `home`.
    """

    benchmark: Benchmark
    home: Path
    sets: Sequence[Mapping[str, Any]]
    _known: dict[tuple[str, str], Influence] = field(default_factory=dict)

    def differences(
        self, records: Sequence[Mapping[str, Any]], metric: str, model: str, steps: int, samplers: tuple[str, str]
    ) -> dict[tuple[int, int], Estimate]:
        """Return the difference with its interval by (train seed, sample seed); empty for metrics of another kind."""
        part = load("metrics", metric)
        if not issubclass(part, Fid):
            return {}
        own = {}
        for item in self.sets:
            if (item["model"], item["steps"]) == (model, steps) and item["sampler"] in samplers:
                own[item["sampler"], item["train_seed"], item["sample_seed"]] = item
        found = {}
        for seeds in dict.fromkeys(key[1:] for key in own):
            a, b = (own.get((sampler, *seeds)) for sampler in samplers)
            if a is None or b is None:
                continue
            values = [self._value(records, metric, item) for item in (a, b)]
            found[seeds] = paired_difference(
                values[0] - values[1], *(self._influence(metric, part, item) for item in (a, b))
            )
        return found

    def _value(self, records: Sequence[Mapping[str, Any]], metric: str, item: Mapping[str, Any]) -> float:
        keys = ("model", "sampler", "steps", "train_seed", "sample_seed")
        (value,) = {
            record["value"]
            for record in records
            if record["metric"] == metric and all(record[key] == item[key] for key in keys)
        }
        return value

    def _influence(self, metric: str, part: type[Fid], item: Mapping[str, Any]) -> Influence:
        key = (metric, item["features"])
        if key not in self._known:
            protocol = self.benchmark.protocols[item["protocol"]][1]
            options = protocol.metric_settings(metric)
            files = self._of_scores(item)
            generated, reference = (
                {name: read_member(path, name) for name in member_names(path)} for path in files.paths.values()
            )
            chosen = configure(part, options, metric)
            real = reference[chosen.features]
            reference[chosen.features] = real[: protocol.reference_images(len(real))]
            self._known[key] = influence_on_fid(chosen, generated, reference)
        return self._known[key]

    def _of_scores(self, item: Mapping[str, Any]) -> Inputs:
        """Return a set's features and their reference, those that its scores are of.

        Raises: UserError where they are others, though whole by themselves: an interval of theirs is not the score's.
        """
        files = checked({name: self.home / item[name] for name in ("scores", "features", "reference")})
        scored = files.records["scores"]["inputs"]
        for name in ("features", "reference"):
            if scored[name] != files.sha256[name]:
                path = files.paths[name]
                raise UserError(f"{path}: is not what {item['scores']} was made from; {way_out(path)}")
        return files.only("features", "reference")


def answered(
    records: Sequence[Mapping[str, Any]], laid: Laid, metrics: Sequence[str], pairs: Pairs | None = None
) -> list[Answer]:
    """Return the verdicts on every candidate at every model and number of steps, in that order.

    records: of the sets that were asked for; held-out real images may be among them. pairs: narrower intervals, where
    the features are at hand.
    """
    *candidates, baseline = laid.entries.items()
    rows = laid.benchmark.compared_sets()
    places = dict.fromkeys((row.model, row.steps) for row in rows)
    answers = []
    for metric in metrics:
        for model, steps in places:
            for text, name in candidates:
                pair = [f"{model}/{sampler}/{steps}" for sampler in (name, baseline[1])]
                known = pairs and pairs.differences(records, metric, model, steps, (name, baseline[1]))
                verdict = compared(records, *pair, metric, differences=known)
                costs = [_costs(records, model, sampler, steps) for sampler in (name, baseline[1])]
                answers.append(Answer(model, steps, text, baseline[0], metric, verdict, *costs))
    return answers


def _costs(records: Sequence[Mapping[str, Any]], model: str, sampler: str, steps: int) -> dict[str, float]:
    """Return what an image of a set cost, the mean over seeds."""
    where = {"model": model, "sampler": sampler, "steps": steps}
    own = [item for item in records if all(item[key] == value for key, value in where.items())]
    found = {cost: [item["value"] for item in own if item["metric"] == cost] for cost in COSTS}
    return {cost: math.fsum(values) / len(values) for cost, values in found.items() if values}


COLUMNS = (
    *("metric", "model", "steps", "candidate", "baseline", "outcome"),
    *(f"{side}{end}" for side in ("candidate_value", "baseline_value", "difference") for end in ("", "_low", "_high")),
    *("covers", "interval"),
    *(f"{side}_{cost}" for cost in COSTS for side in ("candidate", "baseline")),
)


def write_answers(folder: Path, answers: Sequence[Answer], *, spec: Mapping[str, Any], inputs: Inputs) -> Path:
    """Return the file of the verdicts, CSV with a row each, after it was written with its record.

    spec: the question. inputs: the scores, by their places.
    """
    path = folder / FILE
    with replacing(path) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for answer in answers:
            verdict = answer.verdict
            row: dict[str, Any] = {key: getattr(answer, key) for key in COLUMNS[:5]} | {"outcome": verdict.outcome}
            sides = {"candidate_value": verdict.a, "baseline_value": verdict.b, "difference": verdict.difference}
            for side, estimate in sides.items():
                ends = ("", estimate.value), ("_low", estimate.low), ("_high", estimate.high)
                row |= {f"{side}{end}": f"{value:.6g}" for end, value in ends}
            row |= {"covers": verdict.difference.covers, "interval": verdict.method}
            for side, costs in (("candidate", answer.candidate_costs), ("baseline", answer.baseline_costs)):
                row |= {f"{side}_{cost}": f"{value:g}" for cost, value in costs.items()}
            writer.writerow(row)
    write_provenance(path, spec=spec, inputs=inputs)
    return path


def report(answers: Sequence[Answer]) -> str:
    """Return the verdicts as text: a table for each metric and candidate."""
    blocks = []
    heads = dict.fromkeys((answer.metric, answer.candidate) for answer in answers)
    for metric, candidate in heads:
        own = [answer for answer in answers if (answer.metric, answer.candidate) == (metric, candidate)]
        blocks.append(_block(own))
    return "\n\n".join(blocks)


def _block(answers: Sequence[Answer]) -> str:
    first = answers[0]
    rows = [
        ("model", "steps", "candidate", "baseline", "difference, 95 %", "candidate is", "NFE, candidate / baseline")
    ]
    for answer in answers:
        verdict, gap = answer.verdict, answer.verdict.difference
        digits = _decimals(gap.high - gap.low)
        a, b, difference, low, high = (
            f"{value:.{digits}f}" for value in (verdict.a.value, verdict.b.value, gap.value, gap.low, gap.high)
        )
        rows.append(
            (answer.model, str(answer.steps), a, b, f"{difference} ({low} to {high})", verdict.outcome, _cost(answer))
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    head = f"{first.metric}: candidate {first.candidate}, baseline {first.baseline}"
    ways = dict.fromkeys(f"{item.verdict.method}; covers {item.verdict.difference.covers}" for item in answers)
    return "\n".join([head, *lines, *(f"intervals: {way}" for way in ways)])


def _decimals(width: float) -> int:
    """Return the decimals that an interval of this width resolves."""
    return min(6, max(0, 2 - math.floor(math.log10(width / 2)))) if width > 0 else 4


def _cost(answer: Answer) -> str:
    costs = answer.candidate_costs, answer.baseline_costs
    text = " / ".join(f"{cost['nfe']:g}" if "nfe" in cost else "unknown" for cost in costs)
    if any("classifier_evaluations" in cost for cost in costs):
        text += "; classifier " + " / ".join(f"{cost.get('classifier_evaluations', 0):g}" for cost in costs)
    return text
