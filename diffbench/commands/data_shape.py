"""The shape of a data set's images and the number of its classes, which a network must fit."""

from diffbench.benchmark.benchmark import Benchmark


def data_shape(benchmark: Benchmark) -> tuple[tuple[int, int, int], int | None]:
    """Return (channels, height, width) of the images, and the number of classes (None if there are none).

    A data set that declares its shape is not opened. Raises: UserError if the data cannot be read.
    """
    dataset = benchmark.dataset
    height, width, channels = dataset.shape or dataset.open("test").shape
    return (channels, height, width), dataset.num_classes
