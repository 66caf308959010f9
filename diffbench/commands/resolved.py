"""A benchmark's file with every `base` and every default filled in."""

import dataclasses
import json
from typing import Any

from diffbench.base.plugins import described
from diffbench.benchmark.benchmark import Benchmark
from diffbench.benchmark.entries import Model, NoisyClassifier
from diffbench.benchmark.jobs import convert_job, train_job
from diffbench.benchmark.yaml_file import write_yaml

SHOWN = ("network", "diffusion", "objective", "training")
"""The keys of the job that makes a model's weights which a resolved model shows."""


def resolved_yaml(benchmark: Benchmark) -> str:
    """Return the resolved file as YAML."""
    # A round trip through JSON turns tuples into lists, and keys into texts.
    return write_yaml(json.loads(json.dumps(resolved(benchmark)))).rstrip()


def resolved(benchmark: Benchmark) -> dict[str, Any]:
    """Return the resolved file's content, section by section."""
    return {
        "benchmark": benchmark.name,
        "dataset": described(benchmark.dataset, benchmark.dataset_name),
        "classifiers": {name: _classifier(entry) for name, entry in benchmark.classifiers.items()},
        "models": {name: _model(benchmark, model) for name, model in benchmark.models.items()},
        "samplers": {name: described(entry.part, entry.name) for name, entry in benchmark.samplers.items()},
        **{key: dataclasses.asdict(getattr(benchmark, key)) for key in ("sampling", "bound", "execution")},
        **({"validation": dataclasses.asdict(benchmark.validation)} if benchmark.validation else {}),
        "numerics": dataclasses.asdict(benchmark.numerics),
        "protocols": {key: described(part, name) for key, (name, part) in benchmark.protocols.items()},
        "extractors": {key: described(part, name) for key, (name, part) in benchmark.extractors.items()},
        "runs": [dataclasses.asdict(run) for run in benchmark.runs],
    }


def _model(benchmark: Benchmark, model: Model) -> dict[str, Any]:
    trained = model.checkpoint is None
    spec = (train_job(benchmark, model.name, 0) if trained else convert_job(benchmark, model.name)).as_json()
    entry: dict[str, Any] = {key: spec[key] for key in SHOWN if key in spec}
    entry |= {"weights": model.weights, "of": model.of, "labels": model.labels, "guidance": None}
    entry |= {"checkpoint": model.checkpoint.path} if model.checkpoint else {}
    entry |= {"size": model.size, "low_size": model.low_size}
    entry |= {"low_res": dataclasses.asdict(model.low_res) if model.low_res else None}
    if model.guidance is not None:
        guided = described(model.guidance.part, model.guidance.name)
        entry["guidance"] = guided | {"classifier": model.guidance.classifier}
    return entry


def _classifier(classifier: NoisyClassifier) -> dict[str, Any]:
    return {
        "network": described(classifier.network, classifier.network_name),
        "diffusion": dataclasses.asdict(classifier.diffusion),
        "training": dataclasses.asdict(classifier.training) if classifier.training else None,
        "weights": classifier.weights,
        "size": classifier.size,
    } | ({"checkpoint": classifier.checkpoint.path} if classifier.checkpoint else {})
