"""The runs of a benchmark's file, which are blocks of the table, and checks that they are possible."""

import math
from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import Any

from diffbench.base.errors import UserError
from diffbench.base.plugins import configure, nearest
from diffbench.benchmark.benchmark import Benchmark
from diffbench.benchmark.entries import Run, SamplerEntry
from diffbench.benchmark.guidance import check_labels, check_scales
from diffbench.benchmark.protocols import fewest_generated, metric_of
from diffbench.diffusion.denoiser import Diffusion

MOST_ROWS = 5_000
"""The most rows of all runs together."""

FEWEST_IMAGES = 2
"""The fewest images of a sample set."""

NOT_EMPTY = ("models", "samplers", "steps", "train_seeds", "sample_seeds", "protocols")
"""The lists of a run that name at least one thing."""


def run_of(i: int, entry: Any, grids: Mapping[str, tuple[str, ...]]) -> Run:
    """Return a run. A grid among its models is replaced by the grid's models."""
    if not isinstance(entry, Mapping):
        raise UserError(f"runs[{i}]: must be a map")
    run = configure(Run, entry, f"runs[{i}]")
    named = (name for item in run.models for name in grids.get(item, (item,)))
    run = replace(run, models=tuple(dict.fromkeys(named)))
    if run.num_images < FEWEST_IMAGES:
        raise UserError(
            f"runs[{i}].num_images: {run.num_images} is too few; a sample set needs at least {FEWEST_IMAGES} images"
        )
    for name in NOT_EMPTY:
        if not getattr(run, name):
            raise UserError(f"runs[{i}].{name}: must not be empty")
    return run


def check_runs(benchmark: Benchmark) -> None:
    """Raise UserError if a run names something that does not exist, or asks for something impossible."""
    if not any(run.in_table for run in benchmark.runs):
        raise UserError("runs: every one has in_table false, which leaves no table; leave it out of one")
    if (rows := sum(map(_rows, benchmark.runs))) > MOST_ROWS:
        raise UserError(f"runs: {rows} rows; at most {MOST_ROWS} are made by one benchmark")
    for i, run in enumerate(benchmark.runs):
        where = f"runs[{i}]"
        for name, known in (
            ("models", benchmark.models),
            ("samplers", benchmark.samplers),
            ("protocols", benchmark.protocols),
        ):
            for item in getattr(run, name):
                if name == "models" and item in benchmark.left_out:
                    raise UserError(f"{where}.models: {item}: {benchmark.left_out[item]}")
                if item not in known:
                    raise UserError(f"{where}.{name}: no {name.removesuffix('s')} '{item}'; {nearest(item, known)}")
        check_scales(benchmark, run, where)
        check_labels(benchmark, run, where)
        for model in run.models:
            for sampler, steps in product(run.samplers, run.steps):
                _check_steps(benchmark, f"{where}.steps", model, sampler, steps)
        for protocol in run.protocols:
            part = benchmark.protocols[protocol][1]
            extractor = benchmark.extractors[part.extractor][1]
            _check_num_images(f"{where}.num_images", run.num_images, part, extractor)
            try:
                part.require(resize=part.resize, rounding=benchmark.sampling.rounding)
            except UserError as error:
                raise UserError(f"{where}.protocols: {protocol}: {error}; set sampling.rounding") from None
    for row in benchmark.all_sets():
        if not row.protocols:
            where = f"models: low_res of {row.model}: steps"
            _check_steps(benchmark, where, row.model, row.sampler, row.steps)


def _rows(run: Run) -> int:
    """Return the largest number of rows that a run can have."""
    lists = (run.models, run.samplers, run.steps, run.train_seeds, run.sample_seeds, run.guidance_scales or (1,))
    return math.prod(map(len, lists))


def _check_num_images(where: str, num_images: int, protocol: Any, extractor: Any) -> None:
    """Raise UserError if a metric refuses sample sets of this size, before they are made."""
    metrics = {name: metric_of(protocol, name, where) for name in protocol.metrics}
    needs = {name: fewest_generated(metric, extractor) for name, metric in metrics.items()}
    most = max(needs, key=needs.__getitem__)
    if num_images < needs[most]:
        raise UserError(f"{where}: {num_images} is too few; this protocol's metric {most} needs at least {needs[most]}")
    for name, metric in metrics.items():
        try:
            metric.require(num_images)
        except UserError as error:
            raise UserError(f"{where}: metric {name}: {error}") from None


def _check_steps(benchmark: Benchmark, where: str, model: str, sampler: str, steps: int) -> None:
    diffusion, entry = benchmark.models[model].diffusion, benchmark.samplers[sampler]
    own = benchmark.models[benchmark.models[model].of]
    if entry.needs_error and (own.size is not None or own.low_size is not None):
        raise UserError(
            f"{where}: {entry.name} needs the model's bound, and models of other sizes have none; leave it out"
        )
    guidance = benchmark.models[model].guidance
    if entry.needs_error and (guidance is not None or not benchmark.sampling.clip_x_0):
        raise UserError(
            f"{where}: {entry.name} takes the error of x_0 from the bound, which is measured unguided and clipped; "
            "leave it out if models are guided, and set sampling.clip_x_0: true"
        )
    if entry.needs_error and "train" not in benchmark.bound.splits:
        raise UserError(f"{where}: {entry.name} needs the bound of training images; add train to bound.splits")
    require_walk(where, model, sampler, diffusion, entry, steps)


def require_walk(where: str, model: str, sampler: str, diffusion: Diffusion, entry: SamplerEntry, steps: int) -> None:
    """Raise UserError if a sampler cannot walk so many steps of a model's chain. where: the message begins with it."""
    if entry.off_grid != "refuse" and (diffusion.parameterization == "mu" or diffusion.variance == "learned_diagonal"):
        raise UserError(
            f"{where}: {model} with {sampler}: mu-prediction and a learned diagonal variance mean nothing between the "
            "training chain's levels; leave this sampler out, or train eps, x_0 or v with another variance"
        )
    if entry.part.needs_variance and diffusion.variance != "learned_range":
        raise UserError(
            f"{where}: {sampler} takes the variance that a model learned, and {model} has variance "
            f"{diffusion.variance}; set variance_type: fixed_small, or give that model a run with another sampler"
        )
    if entry.adaptive:
        return
    where = f"{where}: {model} with {sampler}"
    # A chain of one step would have only t = 0, the cleanest level, and start there from pure noise.
    if not 2 <= steps <= diffusion.timesteps:
        raise UserError(
            f"{where}: {steps} steps asked of a chain of {diffusion.timesteps}; allowed: 2 to {diffusion.timesteps}"
        )
    try:
        length = len(diffusion.chain(entry.spacing(steps)))
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    if length != steps:
        raise UserError(f"{where}: spacing '{entry.grid}' takes {length} steps, not {steps}")
    if diffusion.variance == "learned_diagonal" and steps != diffusion.timesteps:
        raise UserError(
            f"{where}: variance learned_diagonal is of the training chain's own steps; "
            f"sample with all {diffusion.timesteps}, or use learned_range"
        )
