"""Notes of `diffbench check` on what a run allows and a person may not mean. They never fail a check."""

from collections.abc import Iterator

from diffbench.base.classes import class_counts, unlike_uniform
from diffbench.base.meta import without_values
from diffbench.base.sizes import shrunk_shape
from diffbench.benchmark.benchmark import Benchmark
from diffbench.benchmark.entries import Model
from diffbench.benchmark.known_data import KnownData
from diffbench.benchmark.protocols import metric_of
from diffbench.datasets._split import Split

FEW = 5_000
"""Fewer training images than this are few. The papers' smallest data set, CIFAR-10, has 50,000."""

MANY_PASSES = 10_000
"""More passes over few images than this are many. DDPM makes 2,048 over CIFAR-10."""

LARGE = 10_000_000
"""More parameters than this are many for few images. DDPM's network for CIFAR-10 has 35.7 million."""


def of_files(benchmark: Benchmark) -> Iterator[str]:
    """Yield notes on options that are not used, and on files that are not here yet."""
    for name, sampler in benchmark.samplers.items():
        if sampler.left_out:
            yield f"samplers.{name}.config: not used: {sampler.left_out}"
    for name, (_, protocol) in benchmark.protocols.items():
        file = protocol.reference_file
        if file and not file.is_file():
            yield f"protocols.{name}.reference: {file} is not here yet"
    used = {benchmark.extractor_of(name) for row in benchmark.all_sets() for name in row.protocols}
    for name, (kind, extractor) in benchmark.extractors.items():
        if name not in used:
            continue
        missing = extractor.absent()
        if missing is not None:
            yield (
                f"extractors.{name}: the weights of {kind} are not here yet ({missing}); a run downloads them, so "
                "without a network it fails; fetch the file first"
            )


def of_labels(benchmark: Benchmark, train: Split) -> Iterator[str]:
    """Yield a note if labels are drawn as if the classes had equally many images, and they have not."""
    told = unlike_uniform(class_counts(train.labels, benchmark.dataset.num_classes))
    uniform = [model.name for model in benchmark.models.values() if model.labels in ("iid", "balanced")]
    if told and uniform:
        yield f"{told}; models: {', '.join(uniform)}"


def of_numbers(benchmark: Benchmark, data: KnownData) -> Iterator[str]:
    """Yield notes on numbers of images that have less effect than they seem to have."""
    asked = benchmark.bound.num_images or 0
    held = {split: data.num_images[split] for split in benchmark.bound.splits}
    short = [f"{split} has {number}" for split, number in held.items() if number < asked]
    if short and benchmark.bounded_models():
        yield f"bound.num_images: {asked} are asked for, and {' and '.join(short)}; all of these are evaluated"
    for name in dict.fromkeys(name for row in benchmark.sample_sets() for name in row.protocols):
        yield from _of_few_samples(benchmark, name)


def _of_few_samples(benchmark: Benchmark, name: str) -> Iterator[str]:
    """Yield a note if a Frechet distance is of fewer images than its features have dimensions."""
    protocol = benchmark.protocols[name][1]
    extractor = benchmark.extractors[benchmark.extractor_of(name)][1]
    fewest = min(row.num_images for row in benchmark.sample_sets() if name in row.protocols)
    for metric in protocol.metrics:
        part = metric_of(protocol, metric, f"protocols.{name}.metrics")
        width = extractor.widths().get(part.features)
        if part.takes_moments and width is not None and fewest <= width:
            yield (
                f"protocols.{name}: {metric} of {fewest} images in {width} dimensions is mostly its bias; it compares "
                f"only with {metric} of as many images, so ask for more than {width}"
            )


def of_papers_sizes(benchmark: Benchmark, data: KnownData) -> Iterator[str]:
    """Yield a note if a training or network of the papers' size meets few images."""
    images = data.num_images["train"]
    if images >= FEW:
        return
    large = [
        (model, parameters, model.training.steps)
        for model in (benchmark.models[name] for name in dict.fromkeys(name for name, _ in benchmark.trained_models()))
        if (parameters := _parameters(model, data)) > LARGE
        or model.training.steps * model.training.batch_size > MANY_PASSES * images
    ]
    if not large:
        return
    model, parameters, steps = large[0]
    others = f" (and {len(large) - 1} more)" if large[1:] else ""
    repeats = steps * model.training.batch_size / images
    note = (
        f"models.{model.name}{others}: {parameters / 1e6:.1f}M parameters and {steps:,} steps are the size of the "
        f"papers', whose data have 50,000 images and more; {images:,} images repeat {repeats:,.0f} times"
    )
    bound = benchmark.bound
    if bound.timesteps is None and benchmark.bounded_models():
        note += f"; the bound takes all {model.diffusion.timesteps:,} timesteps (bound: {{timesteps: 40}} takes 40)"
    path = benchmark.dataset.path if benchmark.dataset_name == "folder" else None
    yield note + (f"; `diffbench new --folder {path}` writes a benchmark that fits" if path else "")


def _parameters(model: Model, data: KnownData) -> int:
    shape = shrunk_shape(data.image_shape, model.size)
    with without_values():
        network = model.network.build(shape, data.num_classes, model.diffusion.learns_variance)
    return sum(parameter.numel() for parameter in network.parameters())
