"""Which samplers are compared on which models: a question, laid over a benchmark as runs that stand in no table.

Sets that the table has are taken from there; others lie below results/compared/n<number of images>/, one job for each,
so that no later question makes them again.
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

    One sampler under two names has one set of images: the table's, where it has the sampler.
    Raises: UserError where a sampler cannot be compared, or two are one.
    """
    entries: dict[str, str] = {}
    for text, name in asked.items():
        where, sampler = f"{options[text]} '{text}'", laid.samplers[name]
        if sampler.adaptive:
            raise UserError(
                f"{where}: it chooses its own steps, so that there is no number of them to compare at; give it a run "
                "in the YAML and compare rows: diffbench compare ddpm/flow/0 ddpm/ddim/10"
            )
        same = next(known for known, other in laid.samplers.items() if other == sampler)
        if same in entries.values():
            other = next(text for text, known in entries.items() if known == same)
            raise UserError(f"{where} and {options[other]} '{other}' are one sampler; name two different")
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
            "num_images": like.num_images if question.num_images is None else question.num_images,
            "train_seeds": list(question.train_seeds or like.train_seeds),
            "sample_seeds": list(question.sample_seeds or like.sample_seeds),
            "protocols": [protocol],
            "in_table": False,
        }
        runs.append(run)
    return runs


def _require_scored(benchmark: Benchmark) -> None:
    """Raise UserError where the table has a set, and scores it under other protocols than the question's."""
    held = {(row.coordinates, row.num_images): row.protocols for row in benchmark.sample_sets()}
    for row in benchmark.compared_sets():
        protocols = held.get((row.coordinates, row.num_images), row.protocols)
        if not set(row.protocols) <= set(protocols):
            raise UserError(
                f"--protocol: the benchmark scores {row.model} with {row.sampler} at {row.steps} steps under "
                f"{', '.join(protocols)}, not {row.protocols[0]}; name one of these"
            )


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
