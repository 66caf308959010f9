"""Verdicts on samplers, as text and as a CSV table."""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from diffbench.base.inputs import Inputs
from diffbench.base.provenance import write_provenance
from diffbench.base.writing import replacing
from diffbench.comparison.samplers import COSTS, Answer
from diffbench.comparison.verdicts import FILE

COLUMNS = (
    *("metric", "model", "steps", "candidate", "baseline", "outcome"),
    *(f"{side}{end}" for side in ("candidate_value", "baseline_value", "difference") for end in ("", "_low", "_high")),
    *("covers", "interval"),
    *(f"{side}_{cost}" for cost in COSTS for side in ("candidate", "baseline")),
)


def write_answers(folder: Path, answers: Sequence[Answer], *, spec: Mapping[str, Any], inputs: Inputs) -> Path:
    """Write the verdicts as CSV, with a record, and return the file.

    spec: the question. inputs: the files of scores, by their paths in the tree.
    """
    path = folder / FILE
    with replacing(path) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(map(_row, answers))
    write_provenance(path, spec=spec, inputs=inputs)
    return path


def _row(answer: Answer) -> dict[str, Any]:
    verdict = answer.verdict
    row: dict[str, Any] = {key: getattr(answer, key) for key in COLUMNS[:5]} | {"outcome": verdict.outcome}
    sides = {"candidate_value": verdict.a, "baseline_value": verdict.b, "difference": verdict.difference}
    for side, estimate in sides.items():
        ends = ("", estimate.value), ("_low", estimate.low), ("_high", estimate.high)
        row |= {f"{side}{end}": f"{value:.6g}" for end, value in ends}
    row |= {"covers": verdict.difference.covers, "interval": verdict.method}
    for side, costs in (("candidate", answer.candidate_costs), ("baseline", answer.baseline_costs)):
        row |= {f"{side}_{cost}": f"{value:g}" for cost, value in costs.items()}
    return row


def report(answers: Sequence[Answer]) -> str:
    """Return the verdicts as text: a table for each metric and candidate."""
    heads = dict.fromkeys((answer.metric, answer.candidate) for answer in answers)
    return "\n\n".join(
        _block([answer for answer in answers if (answer.metric, answer.candidate) == head]) for head in heads
    )


HEADS = ("model", "steps", "candidate", "baseline", "difference, 95 %", "candidate is", "NFE, candidate / baseline")


def _block(answers: Sequence[Answer]) -> str:
    rows = [HEADS, *map(_cells, answers)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    head = f"{answers[0].metric}: candidate {answers[0].candidate}, baseline {answers[0].baseline}"
    ways = dict.fromkeys(f"{item.verdict.method}; covers {item.verdict.difference.covers}" for item in answers)
    return "\n".join([head, *lines, *(f"intervals: {way}" for way in ways)])


def _cells(answer: Answer) -> tuple[str, ...]:
    verdict, gap = answer.verdict, answer.verdict.difference
    digits = _decimals(gap.high - gap.low)
    a, b, difference, low, high = (
        f"{value:.{digits}f}" for value in (verdict.a.value, verdict.b.value, gap.value, gap.low, gap.high)
    )
    gap_said = f"{difference} ({low} to {high})"
    return answer.model, str(answer.steps), a, b, gap_said, verdict.outcome, _cost(answer)


def _decimals(width: float) -> int:
    """Return the number of decimals that an interval of this width resolves."""
    return min(6, max(0, 2 - math.floor(math.log10(width / 2)))) if width > 0 else 4


def _cost(answer: Answer) -> str:
    costs = answer.candidate_costs, answer.baseline_costs
    text = " / ".join(f"{cost['nfe']:g}" if "nfe" in cost else "unknown" for cost in costs)
    if any("classifier_evaluations" in cost for cost in costs):
        text += "; classifier " + " / ".join(f"{cost.get('classifier_evaluations', 0):g}" for cost in costs)
    return text
