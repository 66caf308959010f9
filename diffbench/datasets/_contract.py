"""What a data set must have, and what it may declare."""

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Protocol

from diffbench.base.names import SplitName
from diffbench.datasets._split import Split


class Dataset(Protocol):
    """A frozen dataclass that opens the splits of a data set; its fields are its options.

    It need not inherit from this class: the loader gives it the defaults that stand here. What depends on its options
    may be a field or a property.
    """

    levels: int
    """Grey levels that its pixels take: 256, unless they were coarser before they became bytes."""
    flip: bool
    """Whether training may mirror the images."""
    num_classes: int | None
    """How many labels there are, or None without labels."""

    path: str | None = None
    """The user's own file or folder, as a field; None for data that ship with a package."""
    shape: tuple[int, int, int] | None = None
    """Height, width and channels, if they are known without the data."""
    published_images: ClassVar[Mapping[SplitName, int] | None] = None
    """How many images each split has as it was published; None if that depends on the user's files."""
    has_pictures: ClassVar[bool] = False
    """Whether its splits have a `cut`, so that training may take random crops."""

    def source_files(self) -> list[Path] | None:
        """Return the files below `path` that count, so that a note beside them changes nothing; None for all."""
        return None

    @abstractmethod
    def open(self, split: SplitName, /) -> Split:
        """Return the images and labels of "train" or "test"."""
        ...


CONTRACT = Dataset
