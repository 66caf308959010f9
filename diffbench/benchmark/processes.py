"""How many processes torchrun starts for a job of a benchmark, and a check that they can share a training's batches."""

from diffbench.base.errors import UserError
from diffbench.benchmark.benchmark import Benchmark
from diffbench.training.settings import require_shareable

FEWEST = 2
"""The fewest micro-batches for each process. With fewer, a job would mostly wait for the start of the processes."""

PIECE = 1024
"""The images that an extractor is given at once if it says no number."""


def check_processes(benchmark: Benchmark) -> None:
    """Raise UserError if the processes cannot share the batches of a training."""
    asked = benchmark.execution
    trained = {f"models.{name}": benchmark.models[name].training for name, _ in benchmark.trained_models()}
    for name, _ in benchmark.trained_classifiers():
        trained[f"classifiers.{name}"] = benchmark.classifiers[name].training
    for where, training in trained.items():
        try:
            require_shareable(training, asked.processes, micro_batch=asked.micro_batch, sharded=asked.sharded)
        except UserError as error:
            raise UserError(f"{where}.{error}") from None


def sampling_processes(benchmark: Benchmark, num_images: int) -> int:
    """Return how many processes make a sample set."""
    return _worth(benchmark, num_images, benchmark.sampling.micro_batch)


def bound_processes(benchmark: Benchmark) -> int:
    """Return how many processes evaluate a bound; of a whole split, whose size only its file says, as many as asked."""
    asked = benchmark.bound
    return _worth(benchmark, asked.num_images, asked.micro_batch)


def extraction_processes(benchmark: Benchmark, extractor: str, num_images: int | None) -> int:
    """Return how many processes extract features. num_images: None for a whole split.

    An extractor that says no number of images for its network is a small one.
    """
    micro_batch = benchmark.extractors[extractor][1].micro_batch
    if num_images is None and micro_batch is None:
        return 1
    return _worth(benchmark, num_images, micro_batch or PIECE)


def _worth(benchmark: Benchmark, num_images: int | None, micro_batch: int) -> int:
    asked = benchmark.execution.processes
    return asked if num_images is None else max(1, min(asked, num_images // (FEWEST * micro_batch)))
