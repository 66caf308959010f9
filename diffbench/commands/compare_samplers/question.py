"""A question (which samplers are compared on which models), added to a benchmark as runs that are in no table.

Sample sets that the table has are taken from there. Others are in results/compared/n<number of images>/, each made by
its own job, so that no later question makes them again.
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from diffbench.base.digests import digest
from diffbench.base.errors import UserError
from diffbench.base.plugins import nearest
from diffbench.benchmark.benchmark import Benchmark
from diffbench.benchmark.load import parse_benchmark
from diffbench.commands.sampler_option import as_entry
from diffbench.comparison.metrics import nearest_metric


@dataclass(frozen=True)
class Question:
    """The options of the command. None means the value of the benchmark's first run with the model.

    candidates, baseline: texts that name samplers, as in sampler_option.py. metrics: metrics of the protocol.
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
    """A question laid over a benchmark.

    content: of the new YAML. benchmark: what it parses to. entries: the sampler's entry by its text, the baseline last.
    """

    content: dict[str, Any]
    benchmark: Benchmark
    entries: dict[str, str]

    @property
    def name(self) -> str:
        """The name of the answer's folder. It names the samplers, and is different for every question."""
        *candidates, baseline = self.entries.values()
        runs = [dataclasses.asdict(run) for run in self.benchmark.runs if not run.in_table]
        first = candidates[0] if len(candidates) == 1 else f"{len(candidates)}_samplers"
        return f"{first}_vs_{baseline}_{digest(runs)[:6]}"


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
    entries = _entries(laid, {text: name for text, (name, _) in asked.items()}, texts)
    unused = {name for name, _ in asked.values()} - {*entries.values(), *benchmark.samplers}
    content["samplers"] = {key: entry for key, entry in content["samplers"].items() if key not in unused}
    content["runs"][len(benchmark.runs) :] = _runs(benchmark, question, list(entries.values()))
    laid = _parsed(content, places)
    _require_scored(laid)
    return Laid(content, laid, entries)


def _entries(laid: Benchmark, asked: Mapping[str, str], options: Mapping[str, str]) -> dict[str, str]:
    """Return the entry of each sampler by the text that asked for it.

    If a sampler has two names, its images exist once: those of the table's name, if the table has the sampler.
    Raises: UserError if a sampler cannot be compared, or two texts name the same one.
    """
    entries: dict[str, str] = {}
    for text, name in asked.items():
        where, sampler = f"{options[text]} '{text}'", laid.samplers[name]
        if sampler.adaptive:
            raise UserError(
                f"{where}: it chooses its own steps, so no number of steps is common to both; give it a run "
                "in the YAML and compare rows: diffbench compare ddpm/flow/0 ddpm/ddim/10"
            )
        same = next(known for known, other in laid.samplers.items() if other == sampler)
        if same in entries.values():
            other = next(text for text, known in entries.items() if known == same)
            raise UserError(f"{where} and {options[other]} '{other}' are the same sampler; name two different ones")
        entries[text] = same
    return entries


def _require(benchmark: Benchmark, question: Question) -> None:
    for option, values in (("--models", question.models), ("--steps", question.steps), ("--metric", question.metrics)):
        if not values:
            raise UserError(f"{option}: is missing; see diffbench compare-samplers --help")
    for name in question.models:
        if name not in benchmark.models:
            raise UserError(f"--models: no model '{name}'; {nearest(name, benchmark.models)}")
    if question.protocol is not None and question.protocol not in benchmark.protocols:
        raise UserError(f"--protocol: no protocol '{question.protocol}'; "
                        f"{nearest(question.protocol, benchmark.protocols)}")  # fmt: skip


def _runs(benchmark: Benchmark, question: Question, samplers: Sequence[str]) -> list[dict[str, Any]]:
    """Return a run for each model, since models may have different protocols and numbers of images."""
    runs = []
    for model in dict.fromkeys(question.models):
        # A model that the table does not sample takes the settings of the benchmark's first run.
        like = next((run for run in benchmark.runs if run.in_table and model in run.models), benchmark.runs[0])
        protocol = question.protocol or _protocol(benchmark, like.protocols, question.metrics)
        _require_metrics(benchmark, protocol, question.metrics)
        run = {
            "models": [model],
            "samplers": list(samplers),
            "steps": list(dict.fromkeys(question.steps)),
            "num_images": like.num_images if question.num_images is None else question.num_images,
            "train_seeds": list(question.train_seeds or like.train_seeds),
            "sample_seeds": list(question.sample_seeds or like.sample_seeds),
            "protocols": [protocol],
            "in_table": False,
        }
        runs.append(run)
    return runs


def _require_scored(benchmark: Benchmark) -> None:
    """Raise UserError if the table has a set, but does not score it under the question's protocol."""
    held = {row.key: row.protocols for row in benchmark.sample_sets()}
    for row in benchmark.compared_sets():
        protocols = held.get(row.key, row.protocols)
        if not set(row.protocols) <= set(protocols):
            raise UserError(
                f"--protocol: the benchmark scores {row.model} with {row.sampler} at {row.steps} steps under "
                f"{', '.join(protocols)}, not {row.protocols[0]}; name one of these"
            )


def _protocol(benchmark: Benchmark, names: Sequence[str], metrics: Sequence[str]) -> str:
    """Return the first protocol that has all the metrics, or otherwise the first protocol."""
    return next((name for name in names if set(metrics) <= set(benchmark.protocols[name][1].metrics)), names[0])


def _require_metrics(benchmark: Benchmark, protocol: str, metrics: Sequence[str]) -> None:
    held = benchmark.protocols[protocol][1].metrics
    for metric in metrics:
        if metric not in held:
            raise UserError(f"--metric: protocol {protocol} has no '{metric}'; {nearest_metric(metric, held)}")


def _parsed(content: Mapping[str, Any], places: Mapping[str, str]) -> Benchmark:
    """Return the benchmark. Raises: UserError in which the command's options replace the places in the YAML."""
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
