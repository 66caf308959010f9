"""What benchmarks/cuda.py measures: CIFAR-10's benchmark with one model, on one device, in a run that has an end."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from bounded import Run

from diffbench.benchmark.benchmark import Benchmark
from diffbench.benchmark.entries import Model
from diffbench.benchmark.load import load_benchmark
from diffbench.commands.bench.asked import Asked, Choices
from diffbench.commands.bench.measured import Measured, Skipped
from diffbench.commands.bench.networks import Bench
from diffbench.commands.bench.place import Place
from diffbench.commands.plan.data import Known
from diffbench.commands.plan.networks import model_network
from diffbench.commands.plan.timed import Candidate
from diffbench.networks.unet import Unet
from diffbench.protocols._contract import Protocol

CONFIG = Path(__file__).parents[2] / "workflow/config/cifar10.yaml"
KNOWN = Known((3, 32, 32), 10, {"train": 50_000, "test": 10_000})
MODEL = "iddpm"

FAST = Choices("bf16", channels_last=True, deterministic=False)
FASTEST = Choices("bf16", channels_last=True, compiled=True, deterministic=False)
TINY = Unet(32, (1, 2), 1, (16,), heads=2, dropout=0.3)
"""The network of a dry run."""

METRICS = ("fid", "kid", "precision", "recall")


@dataclass(frozen=True)
class Plan:
    """What a run does. scale: seconds of a measurement, sizes of batches, images of a metric, and steps of the grid."""

    run: Run
    device: torch.device
    data: Path | None
    checkout: Path | None
    weights: Path | None
    dry: bool

    @property
    def batches(self) -> tuple[int, ...]:
        """The images of a training step."""
        return (2,) if self.dry else (128, 512, 2048)

    @cached_property
    def benchmark(self) -> Benchmark:
        """CIFAR-10's benchmark with the one model, and a protocol with the metrics that are measured."""
        found = load_benchmark(CONFIG)
        model = found.models[MODEL]
        if self.dry:
            model = replace(model, network=TINY, diffusion=replace(model.diffusion, timesteps=20))
        extractor = found.extractors["inception"][1]
        path = None if self.weights is None else str(self.weights)
        runs = [replace(run, models=(MODEL,), protocols=("all",)) for run in found.runs if MODEL in run.models]
        return replace(
            found,
            models={MODEL: model},
            runs=tuple(replace(run, steps=(10,) if self.dry else run.steps) for run in runs),
            extractors={"inception": ("inception", replace(extractor, path=path))},
            protocols={"all": ("all", Protocol(metrics=METRICS))},
        )

    @property
    def model(self) -> Model:
        """The model's entry."""
        return self.benchmark.models[MODEL]

    @cached_property
    def place(self) -> Place:
        """The device, where a measurement takes a second."""
        return Place(self.device, 1 if self.device.type == "cpu" else 4, 0.0 if self.dry else 1.0)

    def bench(self, choices: Choices, batch: int | None = None) -> Bench:
        """Return what measures the model as it is asked to compute."""
        images = 40 if self.dry else 10_000
        asked = Asked(CONFIG, batch=batch, images=images, choices=choices)
        return Bench(asked, self.benchmark, KNOWN, self.place)

    @cached_property
    def candidate(self) -> Candidate:
        """The network that is measured."""
        return Candidate(model_network(self.benchmark, MODEL, KNOWN), MODEL, False, 0)

    def add(self, one: Measured | Skipped) -> None:
        """Write a measurement down."""
        if isinstance(one, Skipped):
            self.run.book.add(one.part, f"{one.of}: skipped: {one.reason}", skipped=True)
            return
        rates = f"{one.images_per_second:,.1f} images/s"
        operations = f", {one.flops / 1e12:.3g} TFLOP/s, {one.share:.0%} of the ceiling" if one.flop else ""
        words = f"{one.of}, {one.numerics}, batch {one.batch:,}: {rates}{operations}"
        self.run.book.add(one.part, f"{words}, {one.memory:,.0f} MiB", **without_part(one.as_json()))


def without_part(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name != "part"}
