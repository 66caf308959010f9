"""`diffbench plan`: the expected cost of a benchmark in jobs, network evaluations, FLOPs, disk and time."""

import math
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import nn

from diffbench.base.devices import chosen_device, make_deterministic
from diffbench.base.sizes import shrunk_shape
from diffbench.benchmark.benchmark import Benchmark
from diffbench.benchmark.entries import Model, NoisyClassifier
from diffbench.benchmark.load import load_benchmark
from diffbench.benchmark.sample_set import SampleSet
from diffbench.commands.data_shape import data_shape
from diffbench.diffusion.progressive import points
from diffbench.networks._flops import classifier_flops_per_row, flops_per_row

BACKWARD = 3
"""The cost of a training step in forward passes: one forward, and a backward pass that costs about two."""

BYTES_PER_PARAMETER = 8
"""Averaged and raw weights, each in float32."""

AFFORDABLE = 2e10
"""Floating-point operations that take about a second on a slow processor."""

ASSUMED = {"test": 10_000, "train": 50_000}
"""The number of images of a split, for a bound on the whole split."""

START_UP_SECONDS = 3.0
"""Seconds per job for the import of torch and of the package, with compiled bytecode."""


@dataclass(frozen=True)
class ModelPlan:
    """The cost of one model or classifier with one train seed. Evaluations are network rows.

    sample_flops: the operations of one evaluation in sampling; None if it is just a forward pass.
    """

    name: str
    parameters: int
    flops: int
    train_evaluations: int
    sample_evaluations: int
    bound_evaluations: int
    sample_bytes: int
    sample_flops: int | None = None

    @property
    def flops_of_sampling(self) -> int:
        """The floating-point operations of all sampling."""
        return self.sample_evaluations * (self.flops if self.sample_flops is None else self.sample_flops)

    @property
    def total_flops(self) -> int:
        """The floating-point operations of training, bound and sampling together."""
        rows = BACKWARD * self.train_evaluations + self.bound_evaluations
        return self.flops * rows + self.flops_of_sampling


def plan_models(benchmark: Benchmark, shape: tuple[int, int, int], num_classes: int | None) -> list[ModelPlan]:
    """Return a plan per (model, train seed) and per classifier. shape: (channel, height, width) of the data.

    Guided sample sets count with the model whose weights they use.
    """
    plans, classifiers = [], benchmark.used_classifiers()
    for name, seed in benchmark.used_models():
        model = benchmark.models[name]
        size = shrunk_shape(shape, model.size)
        with torch.device("meta"):
            network = model.network.build(size, num_classes, model.diffusion.learns_variance)
        own = [
            (row, benchmark.variant(row.model))
            for row in benchmark.all_sets()
            if (benchmark.variant(row.model).of, row.train_seed) == (name, seed)
        ]
        rows = [row for row, _ in own]
        plans.append(
            ModelPlan(
                name=f"{name} seed {seed}",
                parameters=sum(parameter.numel() for parameter in network.parameters()),
                flops=flops_of(model, network, shape),
                train_evaluations=train_evaluations(model),
                sample_evaluations=sum(_evaluations(benchmark, row) * _calls(variant)[0] for row, variant in own),
                bound_evaluations=bound_evaluations(benchmark, model)
                if (name, seed) in benchmark.bounded_models()
                else 0,
                sample_bytes=sum(row.num_images for row in rows) * size[0] * size[1] * size[2],
            )
        )
    return plans + [_plan_classifier(benchmark, name, seed, shape, num_classes) for name, seed in classifiers]


def _plan_classifier(
    benchmark: Benchmark, name: str, seed: int, shape: tuple[int, int, int], num_classes: int | None
) -> ModelPlan:
    classifier = benchmark.classifiers[name]
    shape = shrunk_shape(shape, classifier.size)
    with torch.device("meta"):
        network = classifier.network.build(shape, num_classes)
    sets = [(row, benchmark.variant(row.model)) for row in benchmark.all_sets() if row.train_seed == seed]
    guided = [(row, model) for row, model in sets if model.guidance and model.guidance.classifier == name]
    return ModelPlan(
        name=f"{name} seed {seed}",
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        flops=classifier_flops_per_row(network, shape, with_gradient=False, device="meta"),
        train_evaluations=train_evaluations(classifier),
        sample_evaluations=sum(_evaluations(benchmark, row) * _calls(model)[1] for row, model in guided),
        bound_evaluations=0,
        sample_bytes=0,
        sample_flops=classifier_flops_per_row(network, shape, with_gradient=True, device="meta"),
    )


def train_evaluations(entry: Model | NoisyClassifier) -> int:
    """Return the network rows of a training; 0 for a checkpoint."""
    return 0 if entry.checkpoint is not None else entry.training.steps * entry.training.batch_size


def _evaluations(benchmark: Benchmark, row: SampleSet) -> int:
    """Return the rows of a sample set with one evaluation per step. The last micro-batch is padded."""
    size = benchmark.sampling.micro_batch
    return row.steps * -(-row.num_images // size) * size


def _calls(model: Model) -> tuple[int, int]:
    """Return how often a step evaluates a model's network, and how often its classifier."""
    if model.guidance is None or model.guidance.part.scale == 0:
        return 1, 0
    if model.guidance.needs_classifier:
        return 1, 1
    return (1 if model.guidance.part.scale == 1 else 2), 0


def bound_evaluations(benchmark: Benchmark, model: Model) -> int:
    """Return the network rows of a model's bound on its splits, and of the test images' reconstructions."""
    bound, timesteps = benchmark.bound, model.diffusion.timesteps
    images = {split: bound.num_images or ASSUMED[split] for split in bound.splits}
    per_image = min(bound.timesteps or timesteps, timesteps)
    return per_image * sum(images.values()) + len(points(timesteps)) * images["test"]


def flops_of(model: Model, network: nn.Module, shape: tuple[int, int, int]) -> int:
    """Return the operations of one evaluation of a model's network on the meta device. shape: of the data's images."""
    size = shrunk_shape(shape, model.size)
    low_shape = None if model.low_size is None else shrunk_shape(size, model.low_size)
    conditional = model.network.class_conditional
    return flops_per_row(network, size, conditional=conditional, low_shape=low_shape, device="meta")


def measured_rate(benchmark: Benchmark, shape: tuple[int, int, int], num_classes: int | None) -> tuple[float, str]:
    """Return this machine's floating-point operations per second, and the name of the network that was timed.

    The measurement takes a second or two. If the model's own network would take longer, a convolution is timed instead.
    """
    make_deterministic(benchmark.execution.threads)
    device = chosen_device(benchmark.execution.device)
    model = _timed(benchmark)
    name, build = model.name, partial(model.network.build, learns_variance=model.diffusion.learns_variance)
    with torch.device("meta"):
        per_row = flops_of(model, build(shrunk_shape(shape, model.size), num_classes), shape)
    shape = shrunk_shape(shape, model.size)
    if per_row <= AFFORDABLE:
        network = build(shape, num_classes).to(device).eval()
        size = max(1, min(benchmark.sampling.micro_batch, int(AFFORDABLE / per_row)))
        x, t = torch.zeros(size, *shape, device=device), torch.zeros(size, device=device)
        conditional = model.network.class_conditional
        y = torch.zeros(size, dtype=torch.int64, device=device) if conditional else None
        work, run = per_row * size, lambda: network(x, t, y, None)
    else:
        layer = nn.Conv2d(256, 256, 3, padding=1, device=device)
        x = torch.zeros(8, 256, 32, 32, device=device)
        work, run = 2 * 9 * 256 * 256 * 8 * 32 * 32, lambda: layer(x)
        name = "a 3x3 convolution of 256 channels"
    best = 0.0
    with torch.no_grad():
        for _ in range(4):
            started = time.perf_counter()
            run()
            if device.type == "cuda":
                torch.cuda.synchronize()
            best = max(best, work / (time.perf_counter() - started))
    return best, name


def _timed(benchmark: Benchmark) -> Model:
    """Return the first model that is no upsampler."""
    models = [benchmark.models[name] for name, _ in benchmark.used_models()]
    return next(model for model in models if model.low_size is None)


def plan_of_file(config: Path, workers: int) -> str:
    """Return the plan of a benchmark's file. Raises: UserError if it has a mistake, or its data cannot be opened."""
    benchmark = load_benchmark(config)
    shape, num_classes = data_shape(benchmark)
    return plan(benchmark, shape, num_classes, workers)


def plan(benchmark: Benchmark, shape: tuple[int, int, int], num_classes: int | None, workers: int) -> str:
    """Return the plan as text. workers: the number of jobs that run at the same time."""
    plans = plan_models(benchmark, shape, num_classes)
    rate, measured_on = measured_rate(benchmark, shape, num_classes)
    heads = ("parameters", "FLOP/row", "train rows", "sample rows", "bound rows", "FLOP")
    width = max(20, *(len(item.name) + 1 for item in plans))
    lines = [f"{'model':<{width}}" + "".join(f"{head:>15}" for head in heads)]
    for item in plans:
        lines.append(
            f"{item.name:<{width}}{item.parameters:>15,}{scaled(item.flops):>15}{item.train_evaluations:>15,}"
            f"{item.sample_evaluations:>15,}{item.bound_evaluations:>15,}{scaled(item.total_flops):>15}"
        )
    seconds = {
        "training": sum(BACKWARD * item.flops * item.train_evaluations for item in plans) / rate,
        "sampling": sum(item.flops_of_sampling for item in plans) / rate,
        "bound": sum(item.flops * item.bound_evaluations for item in plans) / rate,
    }
    jobs = job_counts(benchmark)
    seconds["start-up"] = START_UP_SECONDS * sum(jobs.values())
    disk = sum(item.sample_bytes + BYTES_PER_PARAMETER * item.parameters for item in plans)
    lines += [
        "",
        "rows are network evaluations of one image; one evaluation a sampling step is assumed",
        "jobs: " + ", ".join(f"{count} {stage}" for stage, count in jobs.items()),
        f"disk: {disk / 2**20:,.1f} MiB of weights and samples",
        f"speed: {rate / 1e9:,.1f} GFLOP/s a job, measured here on {measured_on}",
        "expected: " + ", ".join(f"{name} {_spoken(value / workers)}" for name, value in seconds.items()),
        f"in all about {_spoken(sum(seconds.values()) / workers)} with {workers} jobs side by side",
    ]
    return "\n".join(lines)


def job_counts(benchmark: Benchmark) -> dict[str, int]:
    """Return the number of jobs of each stage."""
    rows, models = benchmark.sample_sets(), benchmark.bounded_models()
    converted = len(benchmark.converted_models())
    return {
        "prepare": 1,
        "train": len(benchmark.trained_models()) + len(benchmark.trained_classifiers()),
        **({"convert": converted} if converted else {}),
        "sample": len(benchmark.sampled_sets()),
        "bound": len(models) * len(benchmark.bound.splits),
        "score": len(rows) + len(models) + sum(map(benchmark.upsamples_real, rows)),
    }


def scaled(number: float) -> str:
    """Return a large number with four digits and a suitable SI prefix: 1.234 T."""
    prefixes = ("", " k", " M", " G", " T", " P", " E", " Z", " Y")
    power = min(len(prefixes) - 1, max(0, int(math.log10(max(number, 1)) // 3)))
    return f"{number / 1000**power:.4g}{prefixes[power]}"


def _spoken(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 2 * 86400:
        return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"
    return f"{seconds / 86400:,.0f} days"
