"""CIFAR-10: small colour photographs of ten kinds of things, 32x32.

Source: Krizhevsky 2009, "Learning multiple layers of features from tiny images".

The published numbers are measured on the original pixels. Parquet copies whose pictures are JPEG (re-encoded
to save space) are a different data set. Results on them are not comparable with the papers': whoever shows both
must say so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from diffbench.base.names import SplitName
from diffbench.datasets._archive import parquet_or_archive, source_files
from diffbench.datasets._split import Split


@dataclass(frozen=True)
class Cifar10:
    """50,000 training and 10,000 test images in the folder `path`: parquet or torchvision's archive."""

    path: str
    """the folder of the data set's files."""
    download: bool = False
    """Whether torchvision may fetch the archive into `path` if there is nothing yet."""
    flip: bool = True
    """Ho et al. 2020, appendix B, train with random horizontal flips."""

    levels: ClassVar[int] = 256
    published_images: ClassVar[Mapping[SplitName, int]] = {"train": 50_000, "test": 10_000}
    num_classes: ClassVar[int] = 10
    shape: ClassVar[tuple[int, int, int]] = (32, 32, 3)

    def source_files(self) -> list[Path]:
        """Return the files whose content decides what the images and labels are."""
        return source_files(self.path, "cifar-10-batches-py")

    def open(self, split: SplitName) -> Split:
        """Return the images and labels of "train" or "test"; UserError names the file that cannot be read."""
        return parquet_or_archive(
            self.path, split, shape=self.shape, num_classes=10, download=self.download, opener=_torchvision
        )


def _torchvision(root: str, train: bool, download: bool) -> Any:
    from torchvision.datasets import CIFAR10

    return CIFAR10(root, train=train, download=download)
