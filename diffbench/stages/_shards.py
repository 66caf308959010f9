"""Finished micro-batches of a sample set, which are kept in a folder until the whole set is written."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from diffbench.base.arrays import Bytes, is_whole, load_member, save_npz
from diffbench.base.digests import digest
from diffbench.base.inputs import Inputs
from diffbench.base.provenance import versions_of
from diffbench.diffusion.micro_batches import Index
from diffbench.jobs.sample import SampleJob
from diffbench.stages._costs import Spent

FORMAT = 2
"""The number of the shards' format. A change of what a shard holds must raise it, so that old shards are ignored."""


def shard_folder(cache: Path, job: SampleJob, inputs: Inputs, device: Mapping[str, Any]) -> Path:
    """Return the folder for the shards of one set, named by a digest of everything that determines them.

    device: its facts, since half of a set by one kind of GPU and half by another would be a set of neither.
    """
    spec = job.as_json()
    key = {"spec": spec, **inputs.sha256, "device": dict(device), "shard": FORMAT}
    # Half of a set by one version of torch and half by another would be a set of neither.
    return cache / "sample" / digest(key | {"versions": versions_of(spec)})[:24]


@dataclass(frozen=True)
class Shards:
    """The micro-batches of a sample set, each in a file of its own once it is finished.

    batches: of each, the place of its images in the set, and the padded batch of their indices.
    """

    folder: Path
    batches: Sequence[tuple[slice, Index]]

    def pending(self) -> list[tuple[slice, Index]]:
        """Return the micro-batches without an undamaged file.

        The folder is listed, because a network file system may remember for a while that a file was asked for and not
        there.
        """
        present = {path.name for path in self.folder.iterdir()}
        paths = {place.start: self._path(place) for place, _ in self.batches}
        finished = {start for start, path in paths.items() if path.name in present and is_whole(path)}
        return [(place, index) for place, index in self.batches if place.start not in finished]

    def save(self, place: slice, images: Bytes, spent: Spent) -> None:
        """Write a finished micro-batch and its cost to its file."""
        rows = np.array([spent.rows, spent.classified])
        save_npz(self._path(place), {"arr_0": images, "rows": rows, "nfe": spent.nfe})

    def images(self) -> Iterator[Bytes]:
        """Yield the images of each micro-batch; one at a time, since a set may be larger than memory."""
        return (load_member(self._path(place), "arr_0") for place, _ in self.batches)

    def spent(self) -> Spent:
        """Return what all micro-batches cost together."""
        # Mapped arrays would each hold an open file, and a set of 100,000 images has 1,000 micro-batches.
        rows, nfe = ([load_member(self._path(place), name) for place, _ in self.batches] for name in ("rows", "nfe"))
        evaluated, classified = np.sum(rows, axis=0).tolist()
        return Spent(evaluated, classified, np.concatenate(nfe))

    def _path(self, place: slice) -> Path:
        return self.folder / f"{place.start}.npz"
