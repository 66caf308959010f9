"""`diffbench check`: a check, before any work, that a benchmark can be run."""

import sys
from pathlib import Path

import torch

from diffbench.base.classes import class_counts, unlike_uniform
from diffbench.base.errors import UserError
from diffbench.base.sizes import shrunk_shape
from diffbench.benchmark.benchmark import Benchmark
from diffbench.benchmark.load import load_benchmark
from diffbench.benchmark.places import home_of, other_configuration
from diffbench.commands.data_shape import data_shape
from diffbench.commands.resolved import resolved_yaml
from diffbench.datasets._split import MissingDataError


def check(config: Path, *, resolved: bool = False) -> str:
    """Return a summary of a benchmark or, if `resolved`, its file with every base and default filled in.

    Notes go to stderr. Raises: UserError if a name, type or number is wrong, or the data are not enough.
    """
    benchmark = load_benchmark(config)
    _note_other_configuration(benchmark, config)
    _check_networks(benchmark, config)
    held_out = _say_data(benchmark, config)
    if held_out is not None:
        _require_images(benchmark, config, held_out)
    _note_what_is_left_out(benchmark, config)
    return resolved_yaml(benchmark) if resolved else _summary(benchmark, config)


def _say(config: Path, line: str) -> None:
    sys.stderr.write(f"{config}: {line}\n")


def _note_other_configuration(benchmark: Benchmark, config: Path) -> None:
    other = other_configuration(home_of(benchmark.name), config, benchmark.name)
    if other is not None:
        _say(config, f"note: benchmark '{benchmark.name}' is the name of {other} too; give one another")


def _check_networks(benchmark: Benchmark, config: Path) -> None:
    """Raise UserError if the data cannot be read, or a network does not fit the data."""
    try:
        shape, num_classes = data_shape(benchmark)
    except UserError as error:
        raise UserError(f"{config}: dataset: {error}") from None
    for name, model in benchmark.models.items():
        try:
            own = shrunk_shape(shape, model.size)
            shrunk_shape(own, model.low_size)
            with torch.device("meta"):
                model.network.build(own, num_classes, model.diffusion.learns_variance)
        except UserError as error:
            raise UserError(f"{config}: models.{name}.network: {error}") from None
    for name, classifier in benchmark.classifiers.items():
        try:
            with torch.device("meta"):
                classifier.network.build(shrunk_shape(shape, classifier.size), num_classes)
        except UserError as error:
            raise UserError(f"{config}: classifiers.{name}.network: {error}") from None


def _say_data(benchmark: Benchmark, config: Path) -> int | None:
    """Print what is read of the data, and return the number of test images; None if the data are not here yet.

    Raises: UserError if the data are here and cannot be read.
    """
    try:
        splits = {split: benchmark.dataset.open(split) for split in ("train", "test")}
    except MissingDataError as error:
        _say(config, f"note: the data are not here yet ({error})")
        return None
    except UserError as error:
        raise UserError(f"{config}: dataset: {error}") from None
    for split, images in splits.items():
        _say(config, f"{split}: {images.summary()}")
    told = unlike_uniform(class_counts(splits["train"].labels, benchmark.dataset.num_classes))
    uniform = [model.name for model in benchmark.models.values() if model.labels in ("iid", "balanced")]
    if told and uniform:
        _say(config, f"note: {told}; models: {', '.join(uniform)}")
    return splits["test"].num_images


def _require_images(benchmark: Benchmark, config: Path, held_out: int) -> None:
    """Raise UserError if a run upsamples more real images than there are."""
    for row in benchmark.sampled_sets():
        if benchmark.upsamples_real(row) and row.num_images > held_out:
            raise UserError(
                f"{config}: runs: {row.model} is to upsample {row.num_images} held-out images, "
                f"of which there are {held_out}; ask for fewer"
            )


def _note_what_is_left_out(benchmark: Benchmark, config: Path) -> None:
    for name, sampler in benchmark.samplers.items():
        if sampler.left_out:
            _say(config, f"note: samplers.{name}.config: not used: {sampler.left_out}")
    for name, (_, protocol) in benchmark.protocols.items():
        file = protocol.reference_file
        if file and not file.is_file():
            _say(config, f"note: protocols.{name}.reference: {file} is not here yet")


def _summary(benchmark: Benchmark, config: Path) -> str:
    models, samplers, rows = len(benchmark.models), len(benchmark.samplers), len(benchmark.sample_sets())
    lines = [f"{config}: benchmark {benchmark.name}, {models} models, {samplers} samplers, {rows} rows"]
    lines += [f"left out of the grid: {name}: {reason}" for name, reason in benchmark.left_out.items()]
    return "\n".join(lines)
