"""What a benchmark will cost before it is run: jobs, network evaluations, FLOPs, disk and expected time."""

import time
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from diffbench.base.benchmark import Benchmark, Model, SampleSet
from diffbench.base.devices import chosen_device, make_deterministic

BACKWARD = 3
"""A training step costs about three forward passes: one forward, two of its size backward."""

BYTES_PER_PARAMETER = 8
"""Averaged and raw weights, float32."""

START_UP_SECONDS = 3.0
"""Import of torch and of the package, per job, with compiled bytecode."""


@dataclass(frozen=True)
class ModelPlan:
    """What one model, or classifier, (and train seed) costs. Evaluations are network rows.

    sample_flops: of one evaluation while sampling, where it is not a forward pass alone.
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
        """Floating-point operations of all sampling."""
        return self.sample_evaluations * (self.flops if self.sample_flops is None else self.sample_flops)

    @property
    def total_flops(self) -> int:
        """Floating-point operations in all."""
        rows = BACKWARD * self.train_evaluations + self.bound_evaluations
        return self.flops * rows + self.flops_of_sampling


def plan_models(benchmark: Benchmark, shape: tuple[int, int, int], num_classes: int | None) -> list[ModelPlan]:
    """Return a plan per (model, train seed) and per classifier; shape: (channel, height, width) of the data.

    Guided sample sets count with the model whose weights they use.
    """
    plans, classifiers = [], benchmark.trained_classifiers()
    for name, seed in benchmark.trained_models():
        model = benchmark.models[name]
        with torch.device("meta"):
            network = model.network.build(shape, num_classes, model.diffusion.learns_variance)
        own = [
            (row, benchmark.variant(row.model))
            for row in benchmark.sample_sets()
            if (benchmark.variant(row.model).of, row.train_seed) == (name, seed)
        ]
        rows = [row for row, _ in own]
        strata = benchmark.bound.timesteps or model.diffusion.timesteps
        plans.append(
            ModelPlan(
                name=f"{name} seed {seed}",
                parameters=sum(parameter.numel() for parameter in network.parameters()),
                flops=flops_per_row(network, shape, getattr(model.network, "class_conditional", False)),
                train_evaluations=model.training.steps * model.training.batch_size,
                sample_evaluations=sum(_evaluations(benchmark, row) * _calls(variant)[0] for row, variant in own),
                bound_evaluations=strata * (benchmark.bound.num_images or 10_000)
                if (name, seed) in benchmark.bounded_models()
                else 0,
                sample_bytes=sum(row.num_images for row in rows) * shape[0] * shape[1] * shape[2],
            )
        )
    return plans + [_plan_classifier(benchmark, name, seed, shape, num_classes) for name, seed in classifiers]


def _plan_classifier(
    benchmark: Benchmark, name: str, seed: int, shape: tuple[int, int, int], num_classes: int | None
) -> ModelPlan:
    classifier = benchmark.classifiers[name]
    with torch.device("meta"):
        network = classifier.network.build(shape, num_classes)
    sets = [(row, benchmark.variant(row.model)) for row in benchmark.sample_sets() if row.train_seed == seed]
    guided = [(row, model) for row, model in sets if model.guidance and model.guidance.classifier == name]
    return ModelPlan(
        name=f"{name} seed {seed}",
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        flops=classifier_flops(network, shape, backward=False),
        train_evaluations=classifier.training.steps * classifier.training.batch_size,
        sample_evaluations=sum(_evaluations(benchmark, row) * _calls(model)[1] for row, model in guided),
        bound_evaluations=0,
        sample_bytes=0,
        sample_flops=classifier_flops(network, shape, backward=True),
    )


def _evaluations(benchmark: Benchmark, row: SampleSet) -> int:
    """Return the rows of a sample set at one evaluation a step, its last micro-batch padded."""
    size = benchmark.sampling.micro_batch
    return row.steps * -(-row.num_images // size) * size


def _calls(model: Model) -> tuple[int, int]:
    """Return how often a step evaluates a model's network, and its classifier."""
    if model.guidance is None or model.guidance.part.scale == 0:
        return 1, 0
    if model.guidance.needs_classifier:
        return 1, 1
    return (1 if model.guidance.part.scale == 1 else 2), 0


def classifier_flops(network: nn.Module, shape: tuple[int, int, int], *, backward: bool) -> int:
    """Return the floating-point operations of a noisy classifier for one image; backward: with its gradient."""
    device = next(network.parameters()).device
    network.requires_grad_(False)
    with FlopCounterMode(display=False) as counter:
        # Not a leaf, which the counter's hooks could not follow.
        x = torch.zeros(1, *shape, device=device, requires_grad=True) + 0
        logits = network(x, torch.zeros(1, device=device))
        if backward:
            torch.autograd.grad(logits.sum(), x)
    return counter.get_total_flops()


def flops_per_row(network: nn.Module, shape: tuple[int, int, int], conditional: bool) -> int:
    """Return the floating-point operations of one evaluation of one image, counted without computing."""
    device = next(network.parameters()).device
    y = torch.zeros(1, dtype=torch.int64, device=device) if conditional else None
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, *shape, device=device), torch.zeros(1, device=device), y, None)
    return counter.get_total_flops()


def measured_rate(benchmark: Benchmark, shape: tuple[int, int, int], num_classes: int | None) -> float:
    """Return this machine's floating-point operations per second in the first model's network (a second or two)."""
    make_deterministic(benchmark.execution.threads)
    device = chosen_device(benchmark.execution.device)
    model = benchmark.models[benchmark.trained_models()[0][0]]
    network = model.network.build(shape, num_classes, model.diffusion.learns_variance).to(device).eval()
    conditional = getattr(model.network, "class_conditional", False)
    per_row = flops_per_row(network, shape, conditional)
    # Few enough images that one pass stays near a second on a slow processor.
    size = max(1, min(benchmark.sampling.micro_batch, int(2e10 / per_row)))
    x, t = torch.zeros(size, *shape, device=device), torch.zeros(size, device=device)
    y = torch.zeros(size, dtype=torch.int64, device=device) if conditional else None
    best = 0.0
    with torch.no_grad():
        for _ in range(4):
            started = time.perf_counter()
            network(x, t, y, None)
            if device.type == "cuda":
                torch.cuda.synchronize()
            best = max(best, per_row * size / (time.perf_counter() - started))
    return best


def plan(benchmark: Benchmark, shape: tuple[int, int, int], num_classes: int | None, workers: int) -> str:
    """Return the plan as text; workers: jobs that run side by side."""
    plans = plan_models(benchmark, shape, num_classes)
    rate = measured_rate(benchmark, shape, num_classes)
    heads = ("parameters", "MFLOP/row", "train rows", "sample rows", "bound rows", "GFLOP")
    width = max(20, *(len(item.name) + 1 for item in plans))
    lines = [f"{'model':<{width}}" + "".join(f"{head:>13}" for head in heads)]
    for item in plans:
        lines.append(
            f"{item.name:<{width}}{item.parameters:>13,}{item.flops / 1e6:>13.1f}{item.train_evaluations:>13,}"
            f"{item.sample_evaluations:>13,}{item.bound_evaluations:>13,}{item.total_flops / 1e9:>13,.0f}"
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
        f"speed: {rate / 1e9:,.1f} GFLOP/s a job, measured here on {benchmark.trained_models()[0][0]}",
        "expected: " + ", ".join(f"{name} {_spoken(value / workers)}" for name, value in seconds.items()),
        f"in all about {_spoken(sum(seconds.values()) / workers)} with {workers} jobs side by side",
    ]
    return "\n".join(lines)


def job_counts(benchmark: Benchmark) -> dict[str, int]:
    """Return the number of jobs of each stage."""
    rows, models = benchmark.sample_sets(), benchmark.bounded_models()
    together = {(row.model, row.sampler, row.train_seed, row.sample_seed) for row in rows}
    groups = len(together) if benchmark.execution.group_steps else len(rows)
    return {
        "prepare": 1,
        "train": len(benchmark.trained_models()) + len(benchmark.trained_classifiers()),
        "sample": groups,
        "bound": len(models),
        "score": len(rows) + len(models),
    }


def _spoken(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"
