"""Finished micro-batches of a sample set, which are kept in a folder until the whole set is written."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from diffbench.base.arrays import Bytes, is_whole, load_member, read_member, save_npz
from diffbench.base.digests import digest
from diffbench.base.inputs import Inputs
from diffbench.base.provenance import versions_of
from diffbench.jobs.sample import SampleJob

FORMAT = 2
"""The number of the shards' format. A change of what a shard holds must raise it, so that old shards are ignored."""

Range = tuple[int, int]
"""The index of a micro-batch's first image, and the index after its last."""


def shard_folder(cache: Path, job: SampleJob, inputs: Inputs, device: str) -> Path:
    """Return the folder for the shards of one set, named by a digest of everything that determines them.

    spec: the job's. The spacings of the job's other sets do not count.
    """
    spec = job.as_json()
    key = {"spec": spec, **inputs.sha256, "device": device, "shard": FORMAT}
    # Half of a set by one version of torch and half by another would be a set of neither.
    return cache / "sample" / digest(key | {"versions": versions_of(spec)})[:24]


@dataclass(frozen=True)
class Spent:
    """What a micro-batch cost.

    rows: rows that the network evaluated, padding included. classified: rows that a classifier evaluated. nfe: the
    evaluations that each image needed.
    """

    rows: int
    classified: int
    nfe: np.ndarray


@dataclass(frozen=True)
class Shards:
    """The micro-batches of a sample set, each in a file of its own once it is finished."""

    folder: Path
    ranges: Sequence[Range]

    def is_finished(self, held: Range) -> bool:
        """Return whether a micro-batch's file exists and is undamaged."""
        return is_whole(self._path(held))

    def save(self, held: Range, images: Bytes, spent: Spent) -> None:
        """Write a finished micro-batch and its cost to its file."""
        rows = np.array([spent.rows, spent.classified])
        save_npz(self._path(held), {"arr_0": images, "rows": rows, "nfe": spent.nfe})

    def images(self) -> Iterator[Bytes]:
        """Yield the images of each micro-batch; one at a time, since a set may be larger than memory."""
        return (load_member(self._path(held), "arr_0") for held in self.ranges)

    def spent(self) -> Spent:
        """Return what all micro-batches cost together."""
        rows, classified = np.sum([read_member(self._path(held), "rows") for held in self.ranges], axis=0).tolist()
        return Spent(rows, classified, np.concatenate([read_member(self._path(held), "nfe") for held in self.ranges]))

    def _path(self, held: Range) -> Path:
        return self.folder / f"{held[0]}.npz"
