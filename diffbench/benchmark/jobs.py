"""The jobs of a benchmark, one function for each kind, made from the benchmark's entries."""

import dataclasses
from typing import Any, TypeVar

from diffbench.base.names import REAL, SplitName
from diffbench.base.records import Row
from diffbench.benchmark.benchmark import Benchmark
from diffbench.benchmark.entries import Model, NoisyClassifier
from diffbench.benchmark.sample_set import SampleSet
from diffbench.jobs.bound import BoundJob, Evaluated
from diffbench.jobs.convert import ConvertJob
from diffbench.jobs.dataset import DatasetPart
from diffbench.jobs.extract import ExtractJob
from diffbench.jobs.extractor import ExtractorPart
from diffbench.jobs.fit import FitJob
from diffbench.jobs.job import Options, Part
from diffbench.jobs.model import NetworkPart, Trained
from diffbench.jobs.prepare import PrepareJob
from diffbench.jobs.sample import GuidancePart, SampleJob, SamplerPart
from diffbench.jobs.score import BoundScoreJob, PairsJob, ProtocolPart, ScoreJob
from diffbench.jobs.shrink import ShrinkJob
from diffbench.jobs.trace import Generation, Interpolation, TraceJob
from diffbench.jobs.train import ObjectivePart, TrainJob

P = TypeVar("P", bound=Part)


def prepare_job(benchmark: Benchmark) -> PrepareJob:
    """Return the job that prepares the data set."""
    return PrepareJob(dataset=_placeless(DatasetPart.of(benchmark.dataset, benchmark.dataset_name)))


def shrink_job(size: int) -> ShrinkJob:
    """Return the job that makes a split of the data set smaller."""
    return ShrinkJob(size=size)


def train_job(benchmark: Benchmark, model: str, seed: int) -> TrainJob:
    """Return the job that trains a model."""
    entry = benchmark.models[model]
    objective = ObjectivePart.of(entry.objective, entry.objective_name)
    job = _training(benchmark, entry, seed)
    return dataclasses.replace(job, objective=objective, low_size=entry.low_size, validation=benchmark.validation)


def train_classifier_job(benchmark: Benchmark, classifier: str, seed: int) -> TrainJob:
    """Return the job that trains a classifier of noisy images."""
    return _training(benchmark, benchmark.classifiers[classifier], seed)


def convert_job(benchmark: Benchmark, model: str) -> ConvertJob:
    """Return the job that converts a checkpoint without a record to an artifact."""
    entry = benchmark.models[model]
    return ConvertJob(
        network=_network(entry),
        diffusion=_diffusion(entry),
        weights=entry.weights,
        low_size=entry.low_size,
        key=None if entry.checkpoint is None else entry.checkpoint.key,
    )


def sample_job(benchmark: Benchmark, row: SampleSet) -> SampleJob:
    """Return the job that makes sample sets at one or several numbers of steps. row: any of the sets."""
    walker, entry = benchmark.samplers[row.sampler], benchmark.variant(row.model)
    guidance = entry.guidance
    guided = None if guidance is None else GuidancePart.of(guidance.part, guidance.name)
    classifier = None if guidance is None or guidance.classifier is None else benchmark.classifiers[guidance.classifier]
    return SampleJob(
        network=_network(entry),
        diffusion=_diffusion(entry),
        weights=entry.weights,
        labels=entry.labels,
        guidance=guided,
        classifier=None if classifier is None else _trained(classifier),
        sampler=SamplerPart.of(walker.part, walker.name),
        spacings=(walker.spacing(row.steps),),
        off_grid=walker.off_grid,
        sampling=benchmark.sampling,
        num_images=row.num_images,
        seed=row.sample_seed,
        threads=benchmark.execution.threads,
        numerics=benchmark.numerics.sample,
        low_res=entry.low_res,
    )


def bound_job(benchmark: Benchmark, model: str, split: SplitName) -> BoundJob:
    """Return the job that evaluates a model's bound on a split. Only that of the test split has reconstructions."""
    entry, asked = benchmark.variant(model), benchmark.bound
    return BoundJob(
        network=_network(entry),
        diffusion=_diffusion(entry),
        weights=entry.weights,
        bound=Evaluated(
            timesteps=asked.timesteps,
            num_images=asked.num_images,
            reconstructions=asked.reconstructions if split == "test" else 0,
            micro_batch=asked.micro_batch,
            seed=asked.seed,
        ),
        split=split,
        threads=benchmark.execution.threads,
        numerics=benchmark.numerics.bound,
    )


def trace_job(benchmark: Benchmark, model: str, sample_seed: int) -> TraceJob:
    """Return the job that follows samples of a model from noise to image.

    A chain that is shorter than usual is walked whole, as is that of a learned diagonal variance, which has no other.
    """
    entry = benchmark.variant(model)
    timesteps, whole = entry.diffusion.timesteps, entry.diffusion.variance == "learned_diagonal"
    usual = Generation(), Interpolation()
    generated, between = (timesteps if whole else min(asked.steps, timesteps) for asked in usual)
    points = min(usual[0].points, generated)
    return TraceJob(
        network=_network(entry),
        diffusion=_diffusion(entry),
        weights=entry.weights,
        labels=entry.labels,
        generation=dataclasses.replace(usual[0], steps=generated, points=points),
        interpolation=dataclasses.replace(usual[1], steps=between),
        sampling=benchmark.sampling,
        seed=sample_seed,
        threads=benchmark.execution.threads,
        numerics=benchmark.numerics.sample,
    )


def fit_job(benchmark: Benchmark, extractor: str) -> FitJob:
    """Return the job that trains a data set's own extractor."""
    return FitJob(extractor=_extractor(benchmark, extractor), threads=benchmark.execution.threads)


def extract_job(benchmark: Benchmark, extractor: str) -> ExtractJob:
    """Return the job that extracts the features of a set of images."""
    return ExtractJob(
        extractor=_extractor(benchmark, extractor),
        threads=benchmark.execution.threads,
        numerics=benchmark.numerics.extract,
    )


def score_job(benchmark: Benchmark, protocol: str, row: Row) -> ScoreJob:
    """Return the job that scores features under a protocol."""
    return ScoreJob(
        protocol=protocol_part(benchmark, protocol),
        rounding=benchmark.sampling.rounding,
        row=row,
    )


def protocol_part(benchmark: Benchmark, protocol: str) -> ProtocolPart:
    """Return a protocol as a part of a job."""
    name, part = benchmark.protocols[protocol]
    described = ProtocolPart.of(part, name)
    # Only the file's name is part of the job. The features' digest already covers the content of the reference.
    reference = part.reference_file.name if part.reference_file else part.reference
    return _with_options(described, described.options | {"reference": reference})


def pairs_job(benchmark: Benchmark, row: Row) -> PairsJob:
    """Return the job that compares upsampled real images with the true ones."""
    return PairsJob(rounding=benchmark.sampling.rounding, row=row)


def bound_score_job(benchmark: Benchmark, model: str, seed: int) -> BoundScoreJob:
    """Return the job that scores a model itself by its bound."""
    numerics = benchmark.numerics.of_row(*_trainings(benchmark, model), "bound")
    return BoundScoreJob(row=Row(benchmark.name, model, train_seed=seed, numerics=numerics))


def row_of_set(benchmark: Benchmark, row: SampleSet) -> Row:
    """Return the row of the tables to which the scores of a sample set belong."""
    guidance = benchmark.variant(row.model).guidance
    return Row(
        benchmark=benchmark.name,
        model=row.entry,
        sampler=row.sampler,
        steps=row.steps,
        guidance_scale=None if guidance is None else guidance.part.scale,
        train_seed=row.train_seed,
        sample_seed=row.sample_seed,
        numerics=benchmark.numerics.of_row(*_trainings(benchmark, row.model), "sample"),
    )


def _trainings(benchmark: Benchmark, model: str) -> tuple[str, ...]:
    """Return the stage that trains a model here; none for released weights, whose record says how they were made."""
    return () if benchmark.variant(model).checkpoint is not None else ("train",)


def row_of_real(benchmark: Benchmark, num_images: int) -> Row:
    """Return the row of held-out real images, of which at most `num_images` are scored."""
    return Row(benchmark.name, REAL, num_images=num_images)


def _training(benchmark: Benchmark, entry: Model | NoisyClassifier, seed: int) -> TrainJob:
    """Return a training job. It names the data set only if training makes random crops of its pictures."""
    return TrainJob(
        network=_network(entry),
        diffusion=_diffusion(entry),
        training=entry.training,
        dataset=prepare_job(benchmark).dataset if entry.training.random_crop else None,
        seed=seed,
        threads=benchmark.execution.threads,
        numerics=benchmark.numerics.train,
    )


def _trained(entry: Model | NoisyClassifier) -> Trained:
    return Trained(network=_network(entry), diffusion=_diffusion(entry), weights=entry.weights)


def _network(entry: Model | NoisyClassifier) -> NetworkPart:
    return NetworkPart.of(entry.network, entry.network_name)


def _diffusion(entry: Model | NoisyClassifier) -> Options:
    return dataclasses.asdict(entry.diffusion)


def _extractor(benchmark: Benchmark, name: str) -> ExtractorPart:
    kind, part = benchmark.extractors[name]
    return _placeless(ExtractorPart.of(part, kind))


def _placeless(part: P) -> P:
    """Return a part without its path, because the same files at another path are the same job."""
    return _with_options(part, {key: value for key, value in part.options.items() if key != "path"})


def _with_options(part: P, options: dict[str, Any]) -> P:
    return dataclasses.replace(part, options=options)
