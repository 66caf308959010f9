"""The disk space of a benchmark's artifacts, by kind."""

from math import prod

from diffbench.base.sizes import shrunk_shape
from diffbench.benchmark.benchmark import Benchmark
from diffbench.benchmark.jobs import trace_job
from diffbench.commands.plan.counts import bound_images
from diffbench.commands.plan.data import Known
from diffbench.commands.plan.networks import classifier_network, model_network
from diffbench.diffusion.bound import strata
from diffbench.training.checkpoints import KEPT

WEIGHTS = 2 * 4
"""Bytes of a parameter: averaged and raw, each in float32."""

CHECKPOINT = KEPT * 5 * 4
"""Bytes of a parameter in the checkpoints of a training in progress.

They hold the weights, their average, two moments of Adam, and the last gradient for the noise scale.
"""

TERM = 3 * 8
"""Bytes of a term of the bound: its timestep, its value, and the error of x_0."""


def disk_of(benchmark: Benchmark, known: Known) -> dict[str, int]:
    """Return the bytes of each kind of artifact."""
    return {
        "data": _data(benchmark, known),
        "weights": WEIGHTS * sum(_trained_parameters(benchmark, known)),
        "samples": sum(
            row.num_images * prod(shrunk_shape(known.shape, benchmark.variant(row.model).size))
            for row in benchmark.sampled_sets()
        ),
        "features": _features(benchmark, known),
        "terms": _terms(benchmark, known),
        "traces": _traces(benchmark, known),
    }


def checkpoints_of(benchmark: Benchmark, known: Known, workers: int) -> int:
    """Return the bytes of the checkpoints of the largest trainings, `workers` of which are in progress."""
    return CHECKPOINT * sum(sorted(_trained_parameters(benchmark, known), reverse=True)[:workers])


def _trained_parameters(benchmark: Benchmark, known: Known) -> list[int]:
    models = [model_network(benchmark, name, known) for name, _ in benchmark.trained_models()]
    classifiers = [classifier_network(benchmark, name, known) for name, _ in benchmark.trained_classifiers()]
    return [network.parameters for network in (*models, *classifiers)]


def _data(benchmark: Benchmark, known: Known) -> int:
    sizes = [None, *benchmark.shrunk_sizes()]
    return sum(known.num_images.values()) * sum(prod(shrunk_shape(known.shape, size)) for size in sizes)


def _features(benchmark: Benchmark, known: Known) -> int:
    named = {benchmark.extractor_of(name) for row in benchmark.sample_sets() for name in row.protocols}
    real = sum(known.num_images.values())
    values = 0
    for extractor in named:
        scored = [
            row.num_images
            for row in benchmark.sample_sets()
            if any(benchmark.extractor_of(name) == extractor for name in row.protocols)
        ]
        values += sum(benchmark.extractors[extractor][1].widths().values()) * (real + sum(scored))
    return 4 * values


def _traces(benchmark: Benchmark, known: Known) -> int:
    total = 0
    for name in benchmark.traced_models():
        job = trace_job(benchmark, name, sample_seed=0)
        images = job.generation.num_images * (2 * job.generation.points + 1)
        images += job.interpolation.rows * job.interpolation.columns
        total += images * prod(shrunk_shape(known.shape, benchmark.variant(name).size))
    return total


def _terms(benchmark: Benchmark, known: Known) -> int:
    total = 0
    for name, _ in benchmark.bounded_models():
        per_image = len(strata(benchmark.models[name].diffusion.timesteps, benchmark.bound.timesteps)) - 1
        total += per_image * sum(bound_images(benchmark, split, known) for split in benchmark.bound.splits)
    return TERM * total
