"""A check of the files that protocols name as their references."""

from diffbench.base.errors import UserError
from diffbench.benchmark.benchmark import Benchmark
from diffbench.benchmark.known_data import KnownData
from diffbench.benchmark.protocols import metric_of
from diffbench.stages._image_file import ImageSet, image_set, stored_features


def require_references(benchmark: Benchmark, data: KnownData) -> None:
    """Raise UserError if a reference file that is here does not hold images that its protocol can take."""
    for name in dict.fromkeys(name for row in benchmark.all_sets() for name in row.protocols):
        file = benchmark.protocols[name][1].reference_file
        if file is None or not file.is_file():
            continue
        try:
            _require(benchmark, name, image_set(file), stored_features(file), data)
        except UserError as error:
            raise UserError(f"protocols.{name}.reference: {error}") from None


def _require(benchmark: Benchmark, name: str, reference: ImageSet, stored: list[str], data: KnownData) -> None:
    protocol = benchmark.protocols[name][1]
    file, extractor = protocol.reference_file, benchmark.extractors[benchmark.extractor_of(name)][1]
    if reference.size is None:
        if not extractor.any_size:
            raise UserError(f"{file}: images of several sizes, which this protocol does not resize one by one")
    else:
        shape = (*reference.size, reference.channels)
        if type(extractor).needs_weights and shape != data.shape:
            raise UserError(f"{file}: {reference}, and the extractor is trained on the data set's images; give others")
        try:
            extractor.require_shape(shape)
        except UserError as error:
            raise UserError(f"{file}: {error}") from None
    held = protocol.reference_images(reference.num_images)
    for metric in protocol.metrics:
        part = metric_of(protocol, metric, f"protocols.{name}.metrics")
        by_images = part.needs_reference and not (part.takes_moments and part.features in stored)
        if by_images and held < part.fewest:
            raise UserError(f"{file}: {held} images, and metric {metric} needs at least {part.fewest}; leave it out")
