"""What a plan must know of the data: the shape of the images, the classes, and how many images each split has."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from diffbench.base.errors import UserError
from diffbench.benchmark.benchmark import Benchmark
from diffbench.benchmark.known_data import KnownData, data_of, opened
from diffbench.datasets._split import MissingDataError


@dataclass(frozen=True)
class Known:
    """What is known of the data of a benchmark.

    shape: (channel, height, width). num_images: by split. assumed: whether the data are not here yet, so that
    `num_images` are those of the published data set.
    """

    shape: tuple[int, int, int]
    num_classes: int | None
    num_images: Mapping[str, int]
    assumed: bool = False


def known_data(benchmark: Benchmark) -> Known:
    """Return what the data are, from their files or, if these are not here yet, from what the data set declares.

    Nothing is downloaded. Raises: UserError if the data are here and cannot be read, or if they are not here and the
    data set has no published size.
    """
    dataset = benchmark.dataset
    published = dataset.published_images
    if dataset.path is None and published is not None and dataset.shape is not None:
        # The data ship with a package, so they are what the data set declares, and opening them takes a second.
        return _known(KnownData(dataset.shape, dataset.num_classes, published))
    # Only some data sets can be downloaded, and have an option for it.
    offline = {field.name: False for field in dataclasses.fields(dataset) if field.name == "download"}
    here = dataclasses.replace(benchmark, dataset=dataclasses.replace(dataset, **offline))
    try:
        found = data_of(here, opened(here))
    except MissingDataError as error:
        if published is None or dataset.shape is None:
            raise UserError(f"dataset: {error}; a plan must count the images") from None
        return _known(KnownData(dataset.shape, dataset.num_classes, published), assumed=True)
    except UserError as error:
        raise UserError(f"dataset: {error}") from None
    return _known(found)


def _known(data: KnownData, *, assumed: bool = False) -> Known:
    return Known(data.image_shape, data.num_classes, {**data.num_images}, assumed)
