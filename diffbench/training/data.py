"""The images of each training step, with random crops if asked for; they depend on (seed, step) alone."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from diffbench.base.arrays import Bytes
from diffbench.base.seeds import Stream, permutation

Cuts = Callable[[Int[Tensor, " batch"], Float[Tensor, "batch 3"]], Sequence[Future[Bytes]]]
"""A function from the numbers of images and random draws to the crops that the draws decide, made in the background."""


@dataclass(frozen=True)
class TrainingData:
    """Images as bytes, their labels if the task needs them, and whether images may be flipped.

    low_size: the height to which images are shrunk for an upsampler, which is trained on pairs of sizes; None for other
    networks. cuts: the function that makes random crops; None if images are used as they are stored. held_out: images
    for the log on which the network is not trained; they are neither flipped nor cropped.
    """

    images: Bytes
    labels: Int[Tensor, " images"] | None
    flip: bool
    low_size: int | None = None
    cuts: Cuts | None = None
    held_out: "TrainingData | None" = None


class Batches:
    """The choice of images for the batch of each step: consecutive parts of shuffled epochs."""

    def __init__(self, num_images: int, batch_size: int, seed: int):
        self._num_images, self._batch_size, self._seed = num_images, batch_size, seed
        self._orders: dict[int, Int[Tensor, " images"]] = {}

    def at(self, step: int) -> Int[Tensor, " batch"]:
        """Return the indices of a step's images."""
        position = torch.arange(step * self._batch_size, (step + 1) * self._batch_size)
        epochs, offsets = position // self._num_images, position % self._num_images
        present = epochs.unique().tolist()
        self._orders = {epoch: order for epoch, order in self._orders.items() if epoch in present}
        indices = torch.empty_like(position)
        for epoch in present:
            if epoch not in self._orders:
                self._orders[epoch] = permutation(self._seed, epoch, self._num_images)
            indices[epochs == epoch] = self._orders[epoch][offsets[epochs == epoch]]
        return indices


class StepImages:
    """The images of each step, as stored or randomly cropped; the next step's crops are made during the present one."""

    def __init__(self, data: TrainingData, batch_size: int, seed: int, own: slice):
        """own: the rows of the batch that this process computes."""
        self._images, self._cuts, self._own = data.images, data.cuts, own
        self._batches = Batches(len(data.images), batch_size, seed)
        self._draws = Stream(seed, "crop")
        self._begun: dict[int, Sequence[Future[Bytes]]] = {}

    def at(self, step: int, rows: slice) -> tuple[Int[Tensor, " batch"], Bytes]:
        """Return the indices of the images in some rows of a step's batch, and the images."""
        chosen = self._batches.at(step)[rows]
        if self._cuts is None:
            return chosen, self._images[chosen.numpy()]
        self._begun = {at: self._begun.get(at) or self._begin(self._cuts, at) for at in (step, step + 1)}
        cuts = self._begun[step][rows.start - self._own.start : rows.stop - self._own.start]
        return chosen, np.stack([cut.result() for cut in cuts])

    def _begin(self, cuts: Cuts, step: int) -> Sequence[Future[Bytes]]:
        own = torch.arange(self._own.start, self._own.stop)
        return cuts(self._batches.at(step)[self._own], self._draws.uniform(own, step, 3))
