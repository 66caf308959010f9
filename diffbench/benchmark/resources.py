"""What a job needs of a machine, estimated before it runs: memory, time, GPUs and processes.

A scheduler gives a job what it asks for and ends one that takes more, so the estimates are meant to be enough: twice
the arithmetic, on the slowest device that is likely. Nothing is measured or built, and torch is not imported, because
the workflow asks for every job at its start.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from diffbench.jobs.bound import BoundJob
from diffbench.jobs.convert import ConvertJob
from diffbench.jobs.extract import ExtractJob
from diffbench.jobs.fit import FitJob
from diffbench.jobs.job import Job
from diffbench.jobs.model import NetworkPart, Trained
from diffbench.jobs.prepare import PrepareJob
from diffbench.jobs.sample import SampleJob
from diffbench.jobs.score import ScoreJob
from diffbench.jobs.shrink import ShrinkJob
from diffbench.jobs.trace import TraceJob
from diffbench.jobs.train import TrainJob
from diffbench.networks._arithmetic import Cost, Shape, classifier_cost, unet_cost

CPU_RATE = 2e10
"""Floating-point operations per second of one thread that are assumed: a third of what a core of a server reaches."""

GPU_RATE = 5e12
"""The same of a GPU: a third of a V100's float32 peak of 15.7 TFLOP/s (NVIDIA V100 data sheet)."""

SECONDS_OF_KERNEL = 1e-5
"""Seconds in which a host starts an operation on a GPU."""

PICTURES = 100
"""Pictures per second that are decoded and cropped."""

MARGIN = 2.0
"""By how much more time and memory is asked for than the arithmetic gives."""

START = 10
"""Minutes for the start of a job, its imports, and reading and writing its files."""

MEMORY, MEMORY_OF_CUDA = 1_500, 4_000
"""Megabytes of a process with torch, and of one that has also opened a GPU."""

COPIES = 6
"""Arrays of a training that are as large as the parameters: they themselves, their gradients, the two moments of Adam,
the average, and the gradient of the step before."""

BACKWARD = 3
"""The cost of a training step in forward passes: one forward, and a backward pass that costs about two."""

ADAPTIVE = 60
"""Evaluations that are assumed for a sampler that chooses its own steps, since they depend on the trained model."""

UNKNOWN = Cost(
    parameters=10**8,
    flops=10**11,
    with_gradient=2 * 10**11,
    saved=10**8,
    checkpointed=10**8,
    largest=10**7,
    kernels=2000,
)
"""What a network costs that does not ship with diffbench: a guess on the high side for images of 64 x 64."""

EXTRACTORS: Mapping[str, int] = {"inception": 12 * 10**9, "dinov2": 6 * 10**11}
"""Operations of an extractor for an image, of the largest size of each; others are small."""

WIDEST_FEATURES = 4096
"""The most numbers of an image's features."""


@dataclass(frozen=True)
class Resources:
    """What a job asks a scheduler for.

    mem_mb: memory of the host in megabytes, of all its processes. runtime_minutes: its time limit. gpus: of all its
    processes. tasks: the processes.
    """

    mem_mb: int
    runtime_minutes: int
    gpus: int = 0
    tasks: int = 1


@dataclass(frozen=True)
class Place:
    """What is known of a benchmark's data and of the machines on which its jobs run.

    shape: (channels, height, width) of the data set's images; None if it is not known yet. num_images: of each split,
    by its name. on_gpu: whether networks run on GPUs. processes: those of one job that can be shared out.
    """

    shape: Shape | None
    num_classes: int | None
    num_images: Mapping[str, int]
    on_gpu: bool = False
    processes: int = 1


def resources_of(job: Job, place: Place, *, num_images: int = 0, size: int | None = None) -> Resources:
    """Return what a job needs. Jobs that do not run a network need neither a GPU nor several processes.

    num_images: the images of its input, if the job does not say so: of an extraction, a score, or a split that is made
    smaller. size: the height of a model's images, if it is not the data set's.
    """
    for kind, needs in _NEEDS.items():
        if isinstance(job, kind):
            return needs(job, _Images(place, num_images or max(place.num_images.values(), default=100_000), size))
    return Resources(mem_mb=4_000, runtime_minutes=60)


@dataclass(frozen=True)
class _Images:
    """The images that a job works on: their number, and their shape."""

    place: Place
    count: int
    size: int | None

    @property
    def shape(self) -> Shape:
        channels, height, width = self.place.shape or (3, 256, 256)
        return (channels, height, width) if self.size is None else (channels, self.size, width * self.size // height)

    @property
    def megabytes(self) -> float:
        return self.count * math.prod(self.shape) / 1e6


# -- networks


def _cost(network: NetworkPart, shape: Shape, classes: int | None, *, learns_variance: bool) -> Cost:
    """Return what a network costs; UNKNOWN for one that does not ship with diffbench."""
    if network.name == "noisy_classifier":
        return classifier_cost(network.options, shape, num_classes=classes or 1000)
    if network.name not in ("unet", "super_resolution"):
        return UNKNOWN
    upsamples = network.name == "super_resolution"
    return unet_cost(network.options, shape, num_classes=classes, learns_variance=learns_variance, upsamples=upsamples)


def _of_model(job: Trained | TrainJob, images: _Images) -> Cost:
    learns = str(job.diffusion.get("variance", "")).startswith("learned")
    return _cost(job.network, images.shape, images.place.num_classes, learns_variance=learns)


def _asked(images: _Images, threads: int, flops: float, calls: float, kernels: int, megabytes: float) -> Resources:
    """Return the resources of a job that runs a network. megabytes: besides those of a process."""
    place = images.place
    # A small network on a GPU takes as long as the host needs to start its operations.
    seconds = (
        max(flops / GPU_RATE, calls * kernels * SECONDS_OF_KERNEL) if place.on_gpu else flops / (CPU_RATE * threads)
    )
    process = MEMORY_OF_CUDA if place.on_gpu else MEMORY
    return Resources(
        mem_mb=_rounded(place.processes * process + MARGIN * megabytes, 500),
        runtime_minutes=_minutes(seconds / place.processes),
        gpus=place.processes if place.on_gpu else 0,
        tasks=place.processes,
    )


def _minutes(seconds: float) -> int:
    return _rounded(START + MARGIN * seconds / 60, 5)


def _rounded(number: float, unit: int) -> int:
    """Return the next multiple of a unit."""
    return unit * math.ceil(number / unit)


def _train(job: TrainJob, images: _Images) -> Resources:
    cost, training = _of_model(job, images), job.training
    rows, per_step = training.batch_size, cost.flops * BACKWARD
    flops = training.steps * rows * per_step
    if job.validation is not None:
        measured = -(-training.steps // job.validation.every) * job.validation.timesteps
        flops += measured * (job.validation.num_images or images.place.num_images.get("test", 0)) * cost.flops
    # On a GPU the host holds the weights and the copies that it writes to checkpoints; each process has its own.
    of_network = 4 * COPIES * cost.parameters
    if not images.place.on_gpu:
        of_network += 4 * rows * (cost.saved + 4 * cost.largest) / images.place.processes
    train_images = images.place.num_images.get("train", images.count) * math.prod(images.shape)
    megabytes = images.place.processes * (of_network + train_images) / 1e6
    return _asked(images, job.threads, flops, training.steps, BACKWARD * cost.kernels, megabytes)


def _forward(cost: Cost, rows: int, images: _Images) -> float:
    """Return the megabytes of a process that evaluates a network without gradients."""
    return (8 * cost.parameters + (0 if images.place.on_gpu else 4 * rows * 6 * cost.largest)) / 1e6


def _sample(job: SampleJob, images: _Images) -> Resources:
    cost, batch = _of_model(job, images), job.sampling.micro_batch
    steps = max(ADAPTIVE, 2 * _steps_of(job.spacing))
    batches = -(-job.num_images // batch)
    flops = steps * batches * batch * cost.flops * (1 if job.guidance is None else 2)
    megabytes = _forward(cost, batch, images)
    if job.classifier is not None:
        classifier = _of_model(job.classifier, images)
        flops += steps * batches * batch * classifier.with_gradient
        megabytes += _forward(classifier, batch, images) + 4 * batch * classifier.saved / 1e6
    megabytes += job.num_images * math.prod(images.shape) / 1e6
    return _asked(images, job.threads, flops, steps * batches, 2 * cost.kernels, megabytes)


def _steps_of(spacing: str) -> int:
    """Return the steps of a spacing's text: 25 of "ddim25", 45 of "10,15,20"; options after a space do not count."""
    return sum(map(int, re.findall(r"\d+", re.sub("log_snr", "", spacing.split(" ")[0]))))


def _trace(job: TraceJob, images: _Images) -> Resources:
    cost, between = _of_model(job, images), job.interpolation
    rows = job.generation.steps * job.generation.num_images + between.steps * between.rows * between.columns
    flops = rows * cost.flops * (1 if job.sampling.micro_batch < 32 else job.sampling.micro_batch / 32)
    calls = job.generation.steps + between.steps
    return _asked(images, job.threads, flops, calls, cost.kernels, _forward(cost, job.sampling.micro_batch, images))


def _bound(job: BoundJob, images: _Images) -> Resources:
    cost, asked = _of_model(job, images), job.bound
    count = min(asked.num_images or images.count, images.place.num_images.get(job.split, images.count))
    timesteps = int(job.diffusion.get("timesteps", 1000))
    terms = min(asked.timesteps or timesteps, timesteps) + 100
    batches = -(-count // asked.micro_batch)
    flops = batches * asked.micro_batch * terms * cost.flops
    megabytes = _forward(cost, asked.micro_batch, images) + (24 * count * terms) / 1e6 + images.megabytes
    return _asked(images, job.threads, flops, batches * terms, cost.kernels, megabytes)


def _extract(job: ExtractJob, images: _Images) -> Resources:
    per_image = EXTRACTORS.get(job.extractor.name, 10**8)
    megabytes = images.megabytes + 4 * WIDEST_FEATURES * images.count / 1e6 + 2_000
    return _asked(images, job.threads, images.count * per_image, images.count / 50, 500, megabytes)


def _fit(job: FitJob, images: _Images) -> Resources:
    steps, batch = (int(job.extractor.options.get(key, asked)) for key, asked in (("steps", 3000), ("batch", 64)))
    flops = BACKWARD * steps * batch * 10**7 * images.shape[1] ** 2 / 64
    alone = _asked(images, job.threads, flops, steps, 200, images.megabytes)
    return Resources(alone.mem_mb, alone.runtime_minutes, min(1, alone.gpus))


# -- without a network


def _convert(job: ConvertJob, images: _Images) -> Resources:
    cost = _of_model(job, images)
    return Resources(_rounded(MEMORY + MARGIN * 12 * cost.parameters / 1e6, 500), START + 5)


def _images_only(job: Job, images: _Images) -> Resources:
    """Return the resources of a job that reads, crops or shrinks the images of both splits."""
    count = sum(images.place.num_images.values()) or images.count
    megabytes = MARGIN * count * math.prod(images.shape) / 1e6
    return Resources(_rounded(MEMORY + megabytes, 500), _minutes(count / PICTURES))


def _score(job: ScoreJob, images: _Images) -> Resources:
    # The features of both sets, and blocks of distances between them.
    megabytes = 2 * 2 * 4 * WIDEST_FEATURES * images.count / 1e6
    return Resources(_rounded(2 * MEMORY + megabytes, 500), _minutes((images.count / 10_000) ** 2 * 60 + 60))


_NEEDS: dict[type[Job], Callable[[Any, _Images], Resources]] = {
    TrainJob: _train,
    SampleJob: _sample,
    BoundJob: _bound,
    TraceJob: _trace,
    ExtractJob: _extract,
    FitJob: _fit,
    ConvertJob: _convert,
    PrepareJob: _images_only,
    ShrinkJob: _images_only,
    ScoreJob: _score,
}
