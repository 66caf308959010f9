"""LSUN: photographs of one kind of scene, from the LMDB databases in which they are distributed.

`path` holds `<category>_train_lmdb` and `<category>_val_lmdb`. Pictures are shrunk by a box filter and cropped, as
guided-diffusion's datasets/lsun_bedroom.py does. There are no labels.
Source: Yu et al. 2015, "LSUN: construction of a large-scale image dataset using deep learning with humans in the loop".
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np

from diffbench.base.arrays import Bytes
from diffbench.base.names import SplitName
from diffbench.base.user_path import user_path
from diffbench.datasets._crop import boxed
from diffbench.datasets._decode import decoded
from diffbench.datasets._lmdb import Database
from diffbench.datasets._noticed import Noticed
from diffbench.datasets._split import CHUNK, MissingDataError, Split

TRAINING_IMAGES = {"bedroom": 3_033_042, "church_outdoor": 126_227}
"""Source: the list of LSUN's own download page."""


@dataclass(frozen=True)
class Lsun:
    """One category at size x size. Its 300 validation images are "test"."""

    path: str
    """the folder of the data set's files."""
    category: str = "bedroom"
    """the category's name, which begins the names of its files."""
    size: int = 256
    """pixels across, after the centre crop."""
    flip: bool = True
    """guided-diffusion trains with random horizontal flips; Ho et al. 2020 do not flip bedrooms."""

    levels: ClassVar[int] = 256
    num_classes: ClassVar[None] = None

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"size: {self.size} is not allowed; 1 or more")

    @property
    def published_images(self) -> Mapping[SplitName, int] | None:
        """How many images each split has as it was published; None for a category that is not listed here."""
        train = TRAINING_IMAGES.get(self.category)
        return None if train is None else {"train": train, "test": 300}

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels, known without the data."""
        return (self.size, self.size, 3)

    def open(self, split: SplitName) -> Split:
        """Return the images of "train" or "test"; UserError names the database that cannot be read."""
        folder = self._folder(split)
        if not folder.is_dir():
            raise MissingDataError(
                f"{folder}: no such LMDB database; set the data set's 'path' to the folder that holds it"
            )
        database = Database(folder / "data.mdb")
        noticed = Noticed()
        return Split(
            database.num_entries, self.shape, None, self._chunks(database, folder, noticed), notes=noticed.notes
        )

    def source_files(self) -> list[Path]:
        """Return the files whose content decides what the images are. The folder may hold other categories too."""
        files = [self._folder(split) / "data.mdb" for split in ("train", "test")]
        return [file for file in files if file.is_file()]

    def _folder(self, split: SplitName) -> Path:
        return user_path(self.path) / f"{self.category}_{'train' if split == 'train' else 'val'}_lmdb"

    def _chunks(self, database: Database, folder: Path, noticed: Noticed) -> Iterator[Bytes]:
        piece: list[np.ndarray] = []
        for key, data in database.items():
            where = f"{folder}: {key.decode(errors='replace')}"
            piece.append(decoded(data, 3, where, partial(boxed, size=self.size), noticed))
            if len(piece) == CHUNK:
                yield np.stack(piece)
                piece = []
        if piece:
            yield np.stack(piece)
