"""Network evaluations of a benchmark's jobs: of a training, of a sample set, and of a bound."""

from functools import cache
from typing import Any

import torch

from diffbench.base.errors import UserError
from diffbench.base.names import SplitName
from diffbench.benchmark.benchmark import Benchmark
from diffbench.benchmark.entries import Model, NoisyClassifier, SamplerEntry
from diffbench.benchmark.jobs import trace_job
from diffbench.benchmark.resources import ADAPTIVE
from diffbench.benchmark.sample_set import SampleSet
from diffbench.commands.plan.data import Known
from diffbench.diffusion.bound import strata
from diffbench.diffusion.denoiser import Condition, Diffusion
from diffbench.diffusion.parameterization import Prediction, X, eps_from_x_0
from diffbench.diffusion.process import Level
from diffbench.diffusion.progressive import points

SHORT = (10, 25, 50)
"""Numbers of steps in which a sampler is walked to know its calls in more steps, since a long walk takes seconds."""


def train_evaluations(entry: Model | NoisyClassifier) -> int:
    """Return the network rows of a training; 0 for a checkpoint."""
    return 0 if entry.checkpoint is not None else entry.training.steps * entry.training.batch_size


def validation_calls(benchmark: Benchmark, model: Model, known: Known) -> tuple[int, int]:
    """Return how often the validation losses of a training call its network, and with how many rows; 0 if never.

    The last batch of the held-out images has fewer rows, so the rows are those of all calls on average, rounded up.
    """
    asked = benchmark.validation
    if asked is None or model.checkpoint is not None:
        return 0, 0
    images = min(asked.num_images or known.num_images["test"], known.num_images["test"])
    batches = -(-images // model.training.batch_size)
    measurements = -(-model.training.steps // asked.every)
    return measurements * asked.timesteps * batches, -(-images // batches)


def sample_calls(benchmark: Benchmark, row: SampleSet) -> tuple[int, int]:
    """Return how often a sample set calls its model's network and its classifier, with a whole micro-batch each."""
    own, classified = calls_of_guidance(benchmark.variant(row.model))
    batches = -(-row.num_images // benchmark.sampling.micro_batch)
    evaluations = batches * evaluations_of_sampler(benchmark, row)
    return own * evaluations, classified * evaluations


def calls_of_guidance(model: Model) -> tuple[int, int]:
    """Return how often an evaluation by the sampler calls a model's network, and how often its classifier."""
    if model.guidance is None or model.guidance.part.scale == 0:
        return 1, 0
    if model.guidance.needs_classifier:
        return 1, 1
    return (1 if model.guidance.part.scale == 1 else 2), 0


def evaluations_of_sampler(benchmark: Benchmark, row: SampleSet) -> int:
    """Return how often the sampler of a sample set evaluates the model for an image, guidance apart.

    The sampler itself is run, on one pixel and with a model that predicts 0. What it needs more than that (the known
    error of a model, for example) leaves one evaluation a step.
    """
    entry = benchmark.samplers[row.sampler]
    if entry.adaptive:
        return ADAPTIVE
    if entry.needs_error:
        return row.steps
    diffusion = benchmark.variant(row.model).diffusion
    if row.steps > max(SHORT) and (found := _on_a_line(entry, diffusion, row.steps)) is not None:
        return found
    return _calls_in(entry, diffusion, row.steps) or row.steps


def _on_a_line(entry: SamplerEntry, diffusion: Diffusion, steps: int) -> int | None:
    """Return the calls in many steps if those in few steps are on a line, as they are unless a sampler is peculiar."""
    first, second, third = (_calls_in(entry, diffusion, few) for few in SHORT)
    if not first or (second - first) * (SHORT[2] - SHORT[1]) != (third - second) * (SHORT[1] - SHORT[0]):
        return None
    return first + (steps - SHORT[0]) * (second - first) // (SHORT[1] - SHORT[0])


def _calls_in(entry: SamplerEntry, diffusion: Diffusion, steps: int) -> int:
    """Return the calls in a number of steps; 0 if the sampler cannot be walked in that many."""
    try:
        spacing = entry.spacing(steps)
    except UserError:
        return 0
    key = repr((entry.name, entry.part, spacing, diffusion))
    if key not in _WALKED:
        _WALKED[key] = _walked(entry.part, diffusion, spacing)
    return _WALKED[key]


_WALKED: dict[str, int] = {}


@torch.no_grad()
def _walked(sampler: Any, diffusion: Diffusion, spacing: str) -> int:
    """Return the calls of a denoiser by a sampler's walk; 0 if it needs more than this denoiser has."""
    calls = 0

    def denoiser(x: X, level: Level, condition: Condition | None = None) -> Prediction:
        nonlocal calls
        calls += 1
        x_0, half = torch.zeros_like(x), torch.full_like(x, 0.5)
        return Prediction(x_0, eps_from_x_0(level, x, x_0), variance_fraction=half)

    pixel = torch.full((1, 1, 1, 1), 0.5)
    try:
        for _ in sampler(denoiser, diffusion.chain(spacing), pixel, lambda draw: pixel):
            pass
    except Exception:  # A sampler of somebody else's may fail in any way; the run itself reports it.
        return 0
    return calls


def trace_calls(benchmark: Benchmark, model: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return how often the network is called, and with how many rows, to follow a model's samples.

    First for samples on their way to the image, then for images from noise between two draws.
    """
    job = trace_job(benchmark, model, sample_seed=0)
    on_the_way, between, micro_batch = job.generation, job.interpolation, job.sampling.micro_batch
    batches = -(-between.rows * between.columns // micro_batch)
    return (on_the_way.steps, on_the_way.num_images), (between.steps * batches, micro_batch)


def bound_calls(benchmark: Benchmark, model: str, split: SplitName, known: Known) -> int:
    """Return how often a bound calls the network, with a whole micro-batch each; the reconstructions are included."""
    bound, timesteps = benchmark.bound, benchmark.models[model].diffusion.timesteps
    images = bound_images(benchmark, split, known)
    per_image = _strata(timesteps, bound.timesteps) + (len(points(timesteps)) if split == "test" else 0)
    return -(-images // bound.micro_batch) * per_image


def bound_images(benchmark: Benchmark, split: SplitName, known: Known) -> int:
    """Return how many images of a split a bound evaluates."""
    return min(benchmark.bound.num_images or known.num_images[split], known.num_images[split])


@cache
def _strata(timesteps: int, count: int | None) -> int:
    return len(strata(timesteps, count)) - 1


def bound_evaluations(benchmark: Benchmark, model: str, known: Known) -> int:
    """Return the network rows of a model's bound on all its splits. The last micro-batch is padded."""
    calls = sum(bound_calls(benchmark, model, split, known) for split in benchmark.bound.splits)
    return calls * benchmark.bound.micro_batch
