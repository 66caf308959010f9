"""MNIST: handwritten digits, 28x28, grey.

Source: LeCun, Bottou, Bengio, Haffner 1998, "Gradient-based learning applied to document recognition".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from diffbench.base.names import SplitName
from diffbench.datasets._archive import parquet_or_archive, source_files
from diffbench.datasets._split import Split


@dataclass(frozen=True)
class Mnist:
    """60,000 training and 10,000 test images in the folder `path`: parquet or torchvision's archive."""

    path: str
    """the folder of the data set's files."""
    download: bool = False
    """Whether torchvision may fetch the archive into `path` if there is nothing yet."""

    levels: ClassVar[int] = 256
    published_images: ClassVar[Mapping[SplitName, int]] = {"train": 60_000, "test": 10_000}
    flip: ClassVar[bool] = False
    num_classes: ClassVar[int] = 10
    shape: ClassVar[tuple[int, int, int]] = (28, 28, 1)

    def source_files(self) -> list[Path]:
        """Return the files whose content decides what the images and labels are."""
        return source_files(self.path, "MNIST")

    def open(self, split: SplitName) -> Split:
        """Return the images and labels of "train" or "test"; UserError names the file that cannot be read."""
        return parquet_or_archive(
            self.path, split, shape=self.shape, num_classes=10, download=self.download, opener=_torchvision
        )


def _torchvision(root: str, train: bool, download: bool) -> Any:
    from torchvision.datasets import MNIST

    return MNIST(root, train=train, download=download)
