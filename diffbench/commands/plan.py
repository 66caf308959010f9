"""What a benchmark will cost before it is run: jobs, network evaluations, FLOPs, disk and expected time."""

import time
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from diffbench.base.benchmark import Benchmark, Model
from diffbench.base.devices import chosen_device, make_deterministic
from diffbench.diffusion.progressive import points

BACKWARD = 3
"""A training step costs about three forward passes: one forward, two of its size backward."""

BYTES_PER_PARAMETER = 8
"""Averaged and raw weights, float32."""

ASSUMED = {"test": 10_000, "train": 50_000}
"""Images of a split that the bound takes whole, where the data are not there to count."""

START_UP_SECONDS = 3.0
"""Import of torch and of the package, per job, with compiled bytecode."""


@dataclass(frozen=True)
class ModelPlan:
    """What one model (and train seed) costs. Evaluations are network rows."""

    name: str
    parameters: int
    flops: int
    train_evaluations: int
    sample_evaluations: int
    bound_evaluations: int
    sample_bytes: int

    @property
    def total_flops(self) -> int:
        """Floating-point operations in all."""
        rows = BACKWARD * self.train_evaluations + self.sample_evaluations + self.bound_evaluations
        return self.flops * rows


def plan_models(benchmark: Benchmark, shape: tuple[int, int, int], num_classes: int | None) -> list[ModelPlan]:
    """Return a plan per (model, train seed); shape: (channel, height, width) of the data."""
    plans = []
    for name, seed in benchmark.trained_models():
        model = benchmark.models[name]
        with torch.device("meta"):
            network = model.network.build(shape, num_classes, model.diffusion.learns_variance)
        rows = [row for row in benchmark.sample_sets() if (row.model, row.train_seed) == (name, seed)]
        size = benchmark.sampling.micro_batch
        padded = {row.num_images: -(-row.num_images // size) * size for row in rows}
        plans.append(
            ModelPlan(
                name=f"{name} seed {seed}",
                parameters=sum(parameter.numel() for parameter in network.parameters()),
                flops=flops_per_row(network, shape, getattr(model.network, "class_conditional", False)),
                train_evaluations=model.training.steps * model.training.batch_size,
                sample_evaluations=sum(row.steps * padded[row.num_images] for row in rows),
                bound_evaluations=bound_evaluations(benchmark, model),
                sample_bytes=sum(row.num_images for row in rows) * shape[0] * shape[1] * shape[2],
            )
        )
    return plans


def bound_evaluations(benchmark: Benchmark, model: Model) -> int:
    """Return the network rows of a model's bound on its splits, and of the test images' reconstructions."""
    bound, timesteps = benchmark.bound, model.diffusion.timesteps
    images = {split: bound.num_images or ASSUMED[split] for split in bound.splits}
    per_image = min(bound.timesteps or timesteps, timesteps)
    return per_image * sum(images.values()) + len(points(timesteps)) * images["test"]


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
    lines = [f"{'model':<20}" + "".join(f"{head:>13}" for head in heads)]
    for item in plans:
        lines.append(
            f"{item.name:<20}{item.parameters:>13,}{item.flops / 1e6:>13.1f}{item.train_evaluations:>13,}"
            f"{item.sample_evaluations:>13,}{item.bound_evaluations:>13,}{item.total_flops / 1e9:>13,.0f}"
        )
    seconds = {
        "training": sum(BACKWARD * item.flops * item.train_evaluations for item in plans) / rate,
        "sampling": sum(item.flops * item.sample_evaluations for item in plans) / rate,
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
    rows, models = benchmark.sample_sets(), benchmark.trained_models()
    together = {(row.model, row.sampler, row.train_seed, row.sample_seed) for row in rows}
    groups = len(together) if benchmark.execution.group_steps else len(rows)
    return {
        "prepare": 1,
        "train": len(models),
        "sample": groups,
        "bound": len(models) * len(benchmark.bound.splits),
        "score": len(rows) + len(models),
    }


def _spoken(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"
