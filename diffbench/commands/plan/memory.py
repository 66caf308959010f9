"""The memory that networks need on a device, whether that is there, and what would make a training fit."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from diffbench.base.devices import chosen_device
from diffbench.base.numerics import Precision
from diffbench.benchmark.benchmark import Benchmark
from diffbench.benchmark.entries import Model, NoisyClassifier
from diffbench.benchmark.resources import COPIES
from diffbench.commands.plan.data import Known
from diffbench.commands.plan.networks import Counted, classifier_network, model_network
from diffbench.commands.plan.words import sized

NUMBER = 4
"""Bytes of a number in float32."""

KEPT = {"float32": 4.0, "tf32": 4.0, "bf16": 3.0}
"""Bytes of a number that is kept for the backward pass. Under bf16 norms keep float32 and convolutions bfloat16."""

PASSING = 4
"""Feature maps, each as large as the largest, that a pass holds beside what it keeps."""

PROCESS = 1e9
"""Bytes of a device that the libraries take for themselves."""

USABLE = 0.92
"""The share of a device's memory that is counted on, because the allocator leaves gaps."""


@dataclass(frozen=True)
class Way:
    """How a training is laid out. accumulated: micro-batches of a step on each device, one after the other.

    checkpointed: blocks keep their input alone and are computed again. sharded: arrays are spread over the devices.
    """

    accumulated: int = 1
    checkpointed: bool = False
    sharded: bool = False

    def words(self, batch: int) -> str:
        """Return the layout in words. batch: the images of a step on each device."""
        said = [f"gradient accumulation in {self.accumulated} micro-batches of {batch // self.accumulated}"]
        said = said if self.accumulated > 1 else []
        said += ["activation checkpointing"] if self.checkpointed else []
        return " and ".join([*said, *(["fully_shard"] if self.sharded else [])])


@dataclass(frozen=True)
class Training:
    """A training whose memory is asked for. batch: the images of a step on each of the devices."""

    name: str
    counted: Counted
    batch: int
    devices: int
    precision: Precision
    validated: bool

    def needs(self, way: Way) -> float:
        """Return the bytes on each device: the arrays, what is kept of a micro-batch, and what passes by."""
        return self.arrays(way) + self.of_images(way) + PROCESS

    def arrays(self, way: Way) -> float:
        """Return the bytes of the arrays that are as large as the parameters."""
        # Buckets of gradients on their way to other devices, a network of its own for the validation loss, and copies
        # of the weights in bfloat16.
        further = (self.devices > 1) + self.validated + (0.5 if self.precision == "bf16" else 0)
        held = COPIES / self.devices + further if way.sharded else COPIES + further
        return NUMBER * held * self.counted.parameters

    def of_images(self, way: Way) -> float:
        """Return the bytes of a micro-batch's feature maps."""
        kept = self.counted.checkpointed if way.checkpointed else self.counted.saved
        numbers = kept * KEPT[self.precision] + PASSING * NUMBER * self.counted.largest
        return self.batch / way.accumulated * numbers

    def ways(self) -> Iterator[Way]:
        """Yield layouts, those that cost the least time first."""
        divisors = [number for number in range(1, self.batch + 1) if self.batch % number == 0]
        for checkpointed, sharded in ((False, False), (True, False), (False, True), (True, True)):
            if not sharded or self.devices > 1:
                yield from (Way(number, checkpointed, sharded) for number in divisors)

    def fitting(self, memory: float) -> Way | None:
        """Return the first layout that fits into a number of bytes; None if none does."""
        return next((way for way in self.ways() if self.needs(way) <= USABLE * memory), None)

    def said(self, memory: float) -> str:
        """Return in words whether it fits, and otherwise what would make it fit."""
        needed, way = self.needs(Way()), self.fitting(memory)
        line = f"training {self.name} needs {sized(needed)} at {self.batch} images a step"
        if way == Way():
            return f"{line}, and fits"
        if way is None:
            more = "more devices and fully_shard" if self.devices == 1 else "more devices"
            return f"{line} and does not fit into {sized(USABLE * memory)} whatever is done; it needs {more}"
        return (
            f"{line} and does not fit into {sized(USABLE * memory)}; with {way.words(self.batch)} it needs "
            f"{sized(self.needs(way))}"
        )


def largest_training(benchmark: Benchmark, known: Known, devices: int) -> Training | None:
    """Return the training that needs the most memory on each of a number of devices; None if nothing is trained."""
    precision = benchmark.numerics.train.precision
    found = []
    for name, entry, counted in _trained(benchmark, known):
        validated = benchmark.validation is not None and isinstance(entry, Model)
        batch = max(1, entry.training.batch_size // devices)
        found.append(Training(name, counted, batch, devices, precision, validated))
    return max(found, key=lambda training: training.needs(Way()), default=None)


def _trained(benchmark: Benchmark, known: Known) -> Iterator[tuple[str, Model | NoisyClassifier, Counted]]:
    for name in dict.fromkeys(name for name, _ in benchmark.trained_models()):
        yield name, benchmark.models[name], model_network(benchmark, name, known)
    for name in dict.fromkeys(name for name, _ in benchmark.trained_classifiers()):
        yield name, benchmark.classifiers[name], classifier_network(benchmark, name, known)


def sampling_needs(benchmark: Benchmark, known: Known) -> float:
    """Return the bytes that sampling needs on a device at the most, guidance included."""
    batch = benchmark.sampling.micro_batch
    needed = 0.0
    for name in dict.fromkeys(name for name, _ in benchmark.used_models()):
        counted = model_network(benchmark, name, known)
        # The skip connections of a U-Net are a tenth of what training keeps, about.
        numbers = PASSING * counted.largest + counted.saved / 10
        needed = max(needed, NUMBER * (counted.parameters + batch * numbers))
    for name in dict.fromkeys(name for name, _ in benchmark.used_classifiers()):
        counted = classifier_network(benchmark, name, known)
        needed += NUMBER * (counted.parameters + batch * counted.saved)
    return needed + PROCESS


def memory_lines(benchmark: Benchmark, known: Known, memory: float) -> list[str]:
    """Return a line about the memory of the largest training and of sampling. memory: bytes that a job has."""
    said = [] if (training := largest_training(benchmark, known, 1)) is None else [training.said(memory)]
    needed = sampling_needs(benchmark, known)
    fits = "" if needed <= USABLE * memory else f", which does not fit into {sized(USABLE * memory)}"
    return [f"memory: {'; '.join([*said, f'sampling needs {sized(needed)}{fits}'])}"]


def memory_of(device: str) -> float:
    """Return the bytes of memory of this machine, or of its GPU. device: "auto", "cpu" or "cuda"."""
    chosen = chosen_device(device)
    if chosen.type == "cuda":
        return torch.cuda.get_device_properties(chosen).total_memory
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
