"""Model cards: a README.md for each model and one for the whole, whose head the Hugging Face Hub reads."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffbench
from diffbench.base.errors import UserError
from diffbench.base.names import REAL
from diffbench.base.plugins import load, names
from diffbench.base.provenance_file import RESULTS
from diffbench.base.records import SEEDS, Row
from diffbench.benchmark import paths
from diffbench.benchmark.benchmark import Benchmark
from diffbench.benchmark.jobs import convert_job, train_job
from diffbench.benchmark.yaml_file import write_yaml

Record = Mapping[str, Any]

NEEDS = "publish: needs the package huggingface-hub for model cards; pip install 'diffbench[publish]'"
TASK = "unconditional-image-generation"
BOUND = "nll_bits_per_dim"
"""The metric that a model's bound is recorded as."""


@dataclass(frozen=True)
class About:
    """What the cards of a benchmark say.

    folder: what is published. records: all of its scores. license: "unknown" if none was given.
    """

    folder: Path
    benchmark: Benchmark
    records: Sequence[Record]
    license: str
    repo_type: str = "model"


def require_hub() -> Any:
    """Return the package huggingface_hub. Raises: UserError if it is not installed."""
    try:
        import huggingface_hub
    except ImportError:
        raise UserError(NEEDS) from None
    return huggingface_hub


def card_of_model(about: About, model: str) -> str:
    """Return the card of a model: its settings, how it is used, and its scores with their intervals."""
    benchmark = about.benchmark
    entry, name = benchmark.models[model], f"{benchmark.name}/{model}"
    own = [record for record in about.records if _of(benchmark, record) == model]
    trained = entry.checkpoint is None
    spec = (train_job(benchmark, model, 0) if trained else convert_job(benchmark, model)).as_json()
    shown = {key: spec[key] for key in ("network", "diffusion", "objective", "training") if key in spec}
    weights = sorted({paths.weights(model, seed) for used, seed in benchmark.used_models() if used == model})
    lines = [
        f"# {model}",
        f"A model of the benchmark `{benchmark.name}` of diffbench {diffbench.__version__}, on the data set "
        f"`{benchmark.dataset_name}`. {'It was trained here.' if trained else 'Its weights were made elsewhere.'}",
        *_samples(about, model),
        "## Use",
        "If the weights are here, a benchmark's YAML samples them again:",
        f"```yaml\nmodels:\n  {model}: {{checkpoint: {weights[0]}}}\n```",
        "## Scores",
        "Intervals are 95 %. The record of each number says which images and which reference it is of.",
        _table(own),
        "## Settings",
        f"```yaml\n{write_yaml(shown).strip()}\n```",
    ]
    return _with_head(about, name, own, lines)


def card_of_all(about: About, shown: Path, models: Sequence[str]) -> str:
    """Return the card of the whole: its models, its main table, and how it is checked. shown: that as Markdown."""
    benchmark = about.benchmark
    listed = [f"- [{model}]({_folder(model)}/README.md)" for model in models]
    lines = [
        f"# {benchmark.name}",
        f"Results of the benchmark `{benchmark.name}`, made by diffbench {diffbench.__version__} on the data set "
        f"`{benchmark.dataset_name}`.",
        "## Models",
        "\n".join(listed),
        "## Results",
        shown.read_text().strip() if shown.is_file() else _table(about.records),
        "## Files",
        "`benchmark.yaml` made these results. Beside each artifact is its record: the settings, the code's hash, and "
        "the SHA-256 of what it was made from. These commands compare files with their records, and show the table:",
        "```bash\ndiffbench verify results\ndiffbench table results\n```",
    ]
    return _with_head(about, benchmark.name, about.records, lines)


def card_path(model: str) -> Path:
    """Return the path of a model's card, relative to the published folder."""
    return Path(_folder(model), "README.md")


def _folder(model: str) -> str:
    return str(Path(paths.weights(model, 0)).parents[1])


def _samples(about: About, model: str) -> list[str]:
    """Return the figure of a model's samples, as its card shows it; nothing if there is none."""
    place = Path(paths.figure(f"samples_{model}"))
    if not (about.folder / place).is_file():
        return []
    return [f"![Samples of {model}, below real images](../../{place.relative_to(RESULTS).as_posix()})"]


def _of(benchmark: Benchmark, record: Record) -> str | None:
    """Return the model whose weights a record is about; None for real images."""
    name = record["model"]
    known = isinstance(name, str) and name.partition("@")[0] in benchmark.models
    return benchmark.variant(name).of if known else None


def _with_head(about: About, name: str, records: Iterable[Record], lines: Sequence[str]) -> str:
    hub = require_hub()
    tags = ["diffbench", "diffusion", "image-generation", about.benchmark.name]
    text = "\n\n".join(lines)
    if about.repo_type == "dataset":
        head = hub.DatasetCardData(license=about.license, tags=tags, pretty_name=name)
    else:
        head = hub.ModelCardData(
            license=about.license,
            tags=tags,
            datasets=[about.benchmark.dataset_name],
            library_name="diffbench",
            model_name=name,
            eval_results=[_result(about.benchmark, record) for record in _shown(records)] or None,
        )
    return str(hub.ModelCard(f"---\n{head.to_yaml()}\n---\n\n{text}\n"))


def _result(benchmark: Benchmark, record: Record) -> Any:
    row = _row(record)
    label = f"{_label(record['metric'])} of {row} (95 % interval {record['low']:.5g} to {record['high']:.5g})"
    return require_hub().EvalResult(
        task_type=TASK,
        dataset_type=benchmark.dataset_name,
        dataset_name=benchmark.dataset_name,
        metric_type=record["metric"],
        metric_name=label,
        metric_value=record["value"],
        metric_args={
            key: record[key] for key in ("low", "high", "covers", "protocol", *_ROW) if record.get(key) is not None
        },
    )


_ROW = tuple(key for key in Row.__dataclass_fields__ if key != "benchmark")


def _shown(records: Iterable[Record]) -> list[Record]:
    """Return the records of measures of quality whose numbers are finite, row by row, without those of real images."""
    measures = (*names("metrics"), BOUND)
    finite = (item for item in records if all(math.isfinite(item[key]) for key in ("value", "low", "high")))
    found = (item for item in finite if item["model"] != REAL and item["metric"] in measures)
    return sorted(found, key=lambda item: [str(item.get(key)) for key in _ROW])


def _row(record: Record) -> str:
    scale = record["guidance_scale"]
    name = record["model"] if scale is None else f"{record['model'].partition('@')[0]}@{scale:g}"
    parts = [name, record["sampler"], record["steps"]]
    seeds = [f"{key}={record[key]}" for key in SEEDS if record[key]]
    return "/".join(str(part) for part in (*parts, *seeds) if part is not None)


def _label(metric: str) -> str:
    return str(load("metrics", metric).label) if metric in names("metrics") else "bits/dim"


def _table(records: Iterable[Record]) -> str:
    lines = ["| row | metric | value | 95 % interval |", "| --- | --- | ---: | ---: |"]
    for item in _shown(records):
        values = f"{item['value']:.5g} | {item['low']:.5g} to {item['high']:.5g}"
        lines.append(f"| {_row(item)} | {_label(item['metric'])} | {values} |")
    return "\n".join(lines)
