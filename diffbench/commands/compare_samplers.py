"""Samplers against a baseline, on the same weights and the same noise: what is missing is made through the workflow.

The samplers are laid over the benchmark as runs that stand in no table. Sets that the table has are taken from there;
others lie below results/compared/n<number of images>/, one job for each, so that no later question makes them again.
"""

import csv
import dataclasses
import math
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from diffbench.base.artifacts import digest, read_provenance, replacing
from diffbench.base.benchmark import Benchmark, SampleSet
from diffbench.base.config import parse_benchmark, read_yaml
from diffbench.base.errors import UserError
from diffbench.base.plugins import nearest
from diffbench.base.records import read_records
from diffbench.base.verdicts import Verdict
from diffbench.commands._samplers import as_entry, require_declared
from diffbench.commands._workflow import home_of, make
from diffbench.commands.compare import compared

COSTS = ("nfe", "classifier_evaluations")
"""Counted while sampling, an image."""


@dataclass(frozen=True)
class Question:
    """What is to be compared. None: as the benchmark's first run of a model has it.

    candidates, baseline: as `_samplers` reads them. metrics: of the protocol.
    """

    candidates: tuple[str, ...]
    baseline: str
    models: tuple[str, ...]
    steps: tuple[int, ...]
    metrics: tuple[str, ...] = ("fid",)
    train_seeds: tuple[int, ...] | None = None
    sample_seeds: tuple[int, ...] | None = None
    num_images: int | None = None
    protocol: str | None = None


@dataclass(frozen=True)
class Laid:
    """A question laid over a benchmark: the YAML's content, what it parses to, and each text's entry, baseline last."""

    content: dict[str, Any]
    benchmark: Benchmark
    entries: dict[str, str]

    @property
    def name(self) -> str:
        """The folder of the answer: it names the samplers, and every question has its own."""
        *candidates, baseline = self.entries.values()
        runs = [dataclasses.asdict(run) for run in self.benchmark.runs if not run.in_table]
        first = candidates[0] if len(candidates) == 1 else f"{len(candidates)}_samplers"
        return f"{first}_vs_{baseline}_{digest(runs)[:6]}"


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


def compare_samplers(config: Path, question: Question, *, cores: str = "all") -> str:
    """Return the comparison as text, after its table, verdicts (CSV) and figure were written.

    Raises: UserError, before any work where the question makes no sense.
    """
    laid = laid_over(read_yaml(config), question, str(config))
    home = home_of(laid.benchmark.name)
    folder = home / "results/compared" / laid.name
    _tell_what_is_missing(laid.benchmark, home)
    with replacing(folder / "benchmark.yaml") as temporary:
        temporary.write_text(yaml.safe_dump(laid.content, sort_keys=False))
    targets = [f"results/compared/{laid.name}/table.csv"]
    if any("fid" in laid.benchmark.protocols[name][1].metrics for row in _asked(laid) for name in row.protocols):
        targets.append(f"results/compared/{laid.name}/fid_vs_nfe.png")
    make(targets, folder / "benchmark.yaml", cores=cores, log=folder / "snakemake.log")
    sources = read_provenance(folder / "table.csv")["inputs"]
    answers = answered(read_records(home / path for path in sources), laid, question.metrics)
    write_answers(folder / "verdicts.csv", answers)
    paths = [folder / "verdicts.csv", *(home / target for target in targets)]
    return report(answers) + "\n\nwritten: " + ", ".join(str(_shortest(path)) for path in paths)


def laid_over(content: Any, question: Question, source: str) -> Laid:
    """Return a question laid over the content of a benchmark's YAML.

    Raises: UserError naming the option that is wrong.
    """
    benchmark = parse_benchmark(content, source)
    _require(benchmark, question)
    content = dict(content)
    texts = {text: "--candidate" for text in question.candidates} | {question.baseline: "--baseline"}
    if question.baseline in question.candidates:
        raise UserError(f"--candidate and --baseline are both '{question.baseline}'; name two different samplers")
    asked = {text: as_entry(text, content["samplers"], option) for text, option in texts.items()}
    content["samplers"] = {**content["samplers"], **dict(asked.values())}
    content["runs"] = [*content["runs"], *_runs(benchmark, question, [name for name, _ in asked.values()])]
    places = {f"samplers.{asked[text][0]}": f"{option} '{text}'" for text, option in texts.items()}
    laid = _parsed(content, places)
    # One sampler under two names has one set of images: the table's, where it has the sampler.
    entries = {}
    for text, (name, _) in asked.items():
        require_declared(laid.samplers[name][1], ("order", "stochastic", "applies_gradient"), f"{texts[text]} '{text}'")
        same = next(known for known, sampler in laid.samplers.items() if sampler == laid.samplers[name])
        if same in entries.values():
            other = next(text for text, known in entries.items() if known == same)
            raise UserError(f"{texts[text]} '{text}' and {texts[other]} '{other}' are one sampler; name two different")
        entries[text] = same
    unused = {name for name, _ in asked.values()} - {*entries.values(), *benchmark.samplers}
    content["samplers"] = {key: entry for key, entry in content["samplers"].items() if key not in unused}
    content["runs"][len(benchmark.runs) :] = _runs(benchmark, question, list(entries.values()))
    return Laid(content, _parsed(content, places), entries)


def _require(benchmark: Benchmark, question: Question) -> None:
    for option, values in (("--models", question.models), ("--steps", question.steps), ("--metric", question.metrics)):
        if not values:
            raise UserError(f"{option}: is missing; see diffbench compare --help")
    for name in question.models:
        if name not in benchmark.models:
            raise UserError(f"--models: no model '{name}'; {nearest(name, benchmark.models)}")
    if question.protocol is not None and question.protocol not in benchmark.protocols:
        raise UserError(f"--protocol: no protocol '{question.protocol}'; "
                        f"{nearest(question.protocol, benchmark.protocols)}")  # fmt: skip


def _runs(benchmark: Benchmark, question: Question, samplers: Sequence[str]) -> list[dict[str, Any]]:
    """Return a run for each model, which may be scored otherwise than the others are."""
    runs = []
    for model in dict.fromkeys(question.models):
        # A model that the table does not sample is sampled as its first one.
        like = next((run for run in benchmark.runs if run.in_table and model in run.models), benchmark.runs[0])
        protocol = question.protocol or _protocol(benchmark, like.protocols, question.metrics)
        _require_metrics(benchmark, protocol, question.metrics)
        run = {
            "models": [model],
            "samplers": list(samplers),
            "steps": list(dict.fromkeys(question.steps)),
            "num_images": question.num_images or like.num_images,
            "train_seeds": list(question.train_seeds or like.train_seeds),
            "sample_seeds": list(question.sample_seeds or like.sample_seeds),
            "protocols": [protocol],
            "in_table": False,
        }
        runs.append(run)
    return runs


def _protocol(benchmark: Benchmark, names: Sequence[str], metrics: Sequence[str]) -> str:
    """Return the first of the protocols that has all the metrics, else the first."""
    return next((name for name in names if set(metrics) <= set(benchmark.protocols[name][1].metrics)), names[0])


def _require_metrics(benchmark: Benchmark, protocol: str, metrics: Sequence[str]) -> None:
    held = benchmark.protocols[protocol][1].metrics
    for metric in metrics:
        if metric not in held:
            raise UserError(f"--metric: protocol {protocol} has no '{metric}'; {nearest(metric, held)}")


def _parsed(content: Mapping[str, Any], places: Mapping[str, str]) -> Benchmark:
    """Return the benchmark; what is wrong with it is said in terms of the command's options."""
    try:
        return parse_benchmark(content, "")
    except UserError as error:
        said = str(error).removeprefix(": ")
    for place, option in places.items():
        said = said.replace(place, option)
    found = re.match(r"runs\[\d+\]\.(\w+)", said)
    if found:
        said = f"--{found[1].replace('_', '-')}{said[found.end() :]}"
    raise UserError(said)


def _asked(laid: Laid) -> list[SampleSet]:
    return laid.benchmark.compared_sets()


def _tell_what_is_missing(benchmark: Benchmark, home: Path) -> None:
    """Say on stderr what will be trained first, since that may take days."""
    asked = benchmark.compared_sets()
    used = {(benchmark.variant(row.model).of, row.train_seed) for row in asked}
    for model, seed in benchmark.trained_models():
        weights = home / f"results/models/{model}/train{seed}/weights.safetensors"
        if (model, seed) in used and not weights.is_file():
            sys.stderr.write(f"diffbench: {model}, train seed {seed}, has no weights yet: it will be trained first\n")


def answered(records: Sequence[Mapping[str, Any]], laid: Laid, metrics: Sequence[str]) -> list[Answer]:
    """Return the verdicts on every candidate at every model and number of steps, in that order.

    records: of the sets that were asked for; held-out real images may be among them.
    """
    *candidates, baseline = laid.entries.items()
    rows = _asked(laid)
    places = dict.fromkeys((row.model, row.steps) for row in rows)
    answers = []
    for metric in metrics:
        for model, steps in places:
            for text, name in candidates:
                pair = [f"{model}/{sampler}/{steps}" for sampler in (name, baseline[1])]
                verdict = compared(records, *pair, metric)
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


def write_answers(path: Path, answers: Sequence[Answer]) -> None:
    """Write the verdicts as CSV, a row each."""
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


def _shortest(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
