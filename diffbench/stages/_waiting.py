"""Features that wait in files, one for each process, until the first process writes all of them as one file."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from diffbench.base.world import World


@dataclass(frozen=True)
class Read:
    """What is known of images after their features are taken. moments: as in FeaturesFacts."""

    num_images: int
    pixels_sha256: str
    moments: dict[str, str] | None = None


@contextmanager
def folder_for_all(out: Path, world: World) -> Iterator[Path]:
    """Yield a temporary folder beside `out`, which is the same for all processes."""
    with TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) if world.leads else nullcontext("") as own:
        yield Path(world.told(own))


@dataclass(frozen=True)
class Waiting:
    """Features of this process's pieces in files. widths: of each feature. rows: how many images each piece has."""

    folder: Path
    read: Read
    widths: dict[str, int]
    rows: list[int]

    def path(self, name: str, rank: int) -> Path:
        """Return the path of a process's file of a feature."""
        return self.folder / f"{name}.{rank}"

    def in_turn(self, name: str, shares: Sequence[Sequence[int]]) -> Iterator[np.ndarray]:
        """Yield a feature of all processes' pieces in the order of the images.

        The processes took the pieces in turn. shares: the numbers of images of each process's pieces.
        """
        held = [self._mapped(name, rank, sum(rows)) for rank, rows in enumerate(shares)]
        starts = [0] * len(held)
        for turn in range(len(shares[0])):
            for rank, rows in enumerate(shares):
                if turn < len(rows):
                    yield held[rank][starts[rank] : starts[rank] + rows[turn]]
                    starts[rank] += rows[turn]

    def whole(self, name: str, shares: Sequence[Sequence[int]]) -> np.ndarray:
        """Return a feature of all images, mapped if one process has all of them."""
        if len(shares) == 1:
            return self._mapped(name, 0, sum(shares[0]))
        return np.concatenate(list(self.in_turn(name, shares)))

    def _mapped(self, name: str, rank: int, num_images: int) -> np.ndarray:
        shape = (num_images, self.widths[name])
        return np.memmap(self.path(name, rank), np.float32, "r", shape=shape) if num_images else np.empty(shape)
