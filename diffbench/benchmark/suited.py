"""Checks, before any job, that a data set suits its benchmark: its networks, extractors, metrics and bounds.

`diffbench check` and the start of a run share them. What the file alone tells is checked by the loader.
"""

from collections.abc import Iterator
from typing import Any

from diffbench.base.errors import UserError
from diffbench.base.meta import without_values
from diffbench.base.sizes import shrunk_shape
from diffbench.benchmark.benchmark import Benchmark
from diffbench.benchmark.known_data import KnownData
from diffbench.benchmark.protocols import fewest_generated, metric_of

FEWEST_OF_BOUND = 2
"""The fewest images of a bound, whose standard error needs two."""

IMAGES = {"train": "training", "test": "test"}


def require_suited(benchmark: Benchmark, data: KnownData) -> None:
    """Raise UserError naming the key under which a job would fail because of the data set's images."""
    _require_networks(benchmark, data)
    rows = benchmark.sample_sets()
    in_table = dict.fromkeys(name for row in rows for name in row.protocols)
    for name in dict.fromkeys(name for row in benchmark.all_sets() for name in row.protocols):
        _require_extractor(benchmark, name, data)
        if data.num_images:
            _require_reference(benchmark, name, data)
    if not data.num_images:
        return
    for name in in_table:
        _require_held_out(benchmark, name, data, max(row.num_images for row in rows if name in row.protocols))
    _require_bound(benchmark, data)
    _require_upsampled(benchmark, data)


def _require_networks(benchmark: Benchmark, data: KnownData) -> None:
    built: list[Any] = []
    for name, model in benchmark.models.items():
        asked = (model.network, model.size, model.low_size, model.diffusion.learns_variance)
        if asked in built:  # Many models of a grid have one network.
            continue
        built.append(asked)
        try:
            own = shrunk_shape(data.image_shape, model.size)
            shrunk_shape(own, model.low_size)
            with without_values():
                model.network.build(own, data.num_classes, model.diffusion.learns_variance)
        except UserError as error:
            raise UserError(f"models.{name}.network: {error}") from None
    for name, classifier in benchmark.classifiers.items():
        try:
            with without_values():
                classifier.network.build(shrunk_shape(data.image_shape, classifier.size), data.num_classes)
        except UserError as error:
            raise UserError(f"classifiers.{name}.network: {error}") from None


def _require_extractor(benchmark: Benchmark, name: str, data: KnownData) -> None:
    """Raise UserError if a protocol's extractor does not take the data's images, or cannot be trained on them."""
    extractor = benchmark.extractors[benchmark.extractor_of(name)][1]
    try:
        extractor.require_shape(data.shape)
        if type(extractor).needs_weights and data.num_images:
            extractor.require_training(data.num_images["train"], data.num_classes)
    except UserError as error:
        raise UserError(f"protocols.{name}.extractor: {error}") from None
    for metric, part in _metrics(benchmark, name):
        known = extractor.widths().get(part.features)
        if not part.needs_labels:
            continue
        if data.num_classes is None:
            raise UserError(f"protocols.{name}.metrics: {metric} needs labels, and the data set has none; leave it out")
        if known is not None and data.num_classes > known:
            raise UserError(
                f"protocols.{name}.metrics: {metric} compares {data.num_classes} classes of the data with the "
                f"{known} that the extractor knows; leave it out, or choose extractor classifier"
            )


def _require_reference(benchmark: Benchmark, name: str, data: KnownData) -> None:
    """Raise UserError if the split that a protocol compares with has too few images for a metric."""
    protocol = benchmark.protocols[name][1]
    if protocol.reference_file is not None:
        return
    held = protocol.reference_images(data.num_images[protocol.reference])
    for metric, part in _metrics(benchmark, name):
        if part.needs_reference and held < part.fewest:
            raise UserError(
                f"protocols.{name}.metrics: {metric} needs at least {part.fewest} images of its reference, and "
                f"{IMAGES[protocol.reference]} images are only {held}; leave it out, or lower its settings "
                f"(protocols.{name}.settings)"
            )


def _require_held_out(benchmark: Benchmark, name: str, data: KnownData, most: int) -> None:
    """Raise UserError if the split that a protocol holds out cannot be scored like samples, which the table shows.

    most: the number of images of the protocol's largest sample set. At most that many real images are scored.
    """
    protocol = benchmark.protocols[name][1]
    split = "train" if protocol.reference == "test" else "test"
    held = min(data.num_images[split], most)
    extractor = benchmark.extractors[benchmark.extractor_of(name)][1]
    for metric, part in _metrics(benchmark, name):
        needed = fewest_generated(part, extractor)
        if part.needs_held_out:
            continue  # The row of real images has no such metric.
        if held < needed:
            raise UserError(
                f"protocols.{name}.metrics: {metric} needs at least {needed} images, and the row of real images has "
                f"{held}, the {IMAGES[split]} images; hold out more, or leave the metric out"
            )
        try:
            part.require(held)
        except UserError as error:
            raise UserError(f"protocols.{name}.metrics: {metric}: the row of real images has {held}: {error}") from None


def _require_bound(benchmark: Benchmark, data: KnownData) -> None:
    if not benchmark.bounded_models():
        return
    for split in benchmark.bound.splits:
        if data.num_images[split] < FEWEST_OF_BOUND:
            raise UserError(
                f"bound.splits: a bound needs at least {FEWEST_OF_BOUND} images, and {IMAGES[split]} images are only "
                f"{data.num_images[split]}; add some"
            )


def _require_upsampled(benchmark: Benchmark, data: KnownData) -> None:
    held = data.num_images["test"]
    for row in benchmark.sampled_sets():
        if benchmark.upsamples_real(row) and row.num_images > held:
            raise UserError(
                f"runs: {row.model} is to upsample {row.num_images} held-out images, of which there are {held}; "
                "ask for fewer"
            )


def _metrics(benchmark: Benchmark, name: str) -> Iterator[tuple[str, Any]]:
    protocol = benchmark.protocols[name][1]
    for metric in protocol.metrics:
        yield metric, metric_of(protocol, metric, f"protocols.{name}.metrics")
