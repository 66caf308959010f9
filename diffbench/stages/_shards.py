"""Finished micro-batches of a sample set, which wait in a folder until the whole set is written."""

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
"""Raised whenever what a shard holds changes, so that shards of an older format are not taken for finished work."""

Range = tuple[int, int]
"""Indices of the first image of a micro-batch and of the one after its last."""


def shard_folder(cache: Path, job: SampleJob, inputs: Inputs, device: str) -> Path:
    """Return where the shards of a set are kept: they are a function of all that its key holds."""
    spec = job.as_json()
    key = {"spec": spec, **inputs.sha256, "device": device, "shard": FORMAT}
    # Half of a set by one version of torch and half by another would be a set of neither.
    return cache / "sample" / digest(key | {"versions": versions_of(spec)})[:24]


@dataclass(frozen=True)
class Spent:
    """What a micro-batch cost.

    rows: rows that the network evaluated, padding included. classified: those that a classifier evaluated. nfe: the
    evaluations that each image needed itself.
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
        """Return whether a micro-batch has its whole file."""
        return is_whole(self._path(held))

    def save(self, held: Range, images: Bytes, spent: Spent) -> None:
        """Keep a finished micro-batch."""
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
