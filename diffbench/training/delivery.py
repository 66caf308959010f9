"""The delivery of each step's images, as bytes, to the device on which a network is trained.

A set that is small enough lies on a GPU as a whole, and each step gathers its images there. A larger one stays on the
host, which gathers the next step's images in the background, in memory from which a GPU copies without its help. In
both cases the host never waits for the GPU. On the CPU there is nothing to deliver, so images are gathered when asked.
"""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from diffbench.base.images import channels_first
from diffbench.base.sizes import shrunk
from diffbench.training.data import Batches, StepImages, TrainingData

RESIDENT_SHARE = 0.25
"""The largest share of a GPU's free memory that a data set may take. The rest is for the network."""

CHUNK = 4096
"""The number of images that are copied to a GPU at once."""

Pictures = UInt8[Tensor, "batch channel height width"]


@dataclass(frozen=True)
class Delivered:
    """Images, their low-resolution ones if the network enlarges images, and their labels if it uses them."""

    images: Pictures
    low_res: Pictures | None
    y: Int[Tensor, " batch"] | None

    def part(self, rows: slice | Tensor) -> "Delivered":
        """Return some of the images."""
        low_res, y = self.low_res, self.y
        return Delivered(self.images[rows], None if low_res is None else low_res[rows], None if y is None else y[rows])


@runtime_checkable
class Delivery(Protocol):
    """What gives the images of some rows of a step's batch, on the device of the training."""

    def at(self, step: int, rows: slice) -> Delivered: ...


def delivery_of(data: TrainingData, batch_size: int, seed: int, device: torch.device, own: slice) -> Delivery:
    """Return the delivery of a training's images. own: the rows of each batch that this process computes."""
    if device.type != "cuda":
        return OnRequest(data, batch_size, seed, device, own)
    if data.cuts is None and is_small(data, torch.cuda.mem_get_info(device)[0]):
        return Resident(data, batch_size, seed, device)
    return Ahead(data, batch_size, seed, device, own)


def is_small(data: TrainingData, free: int) -> bool:
    """Return whether a data set may lie on a GPU with `free` bytes of free memory. Low resolution makes it larger."""
    count, height, width, channels = data.images.shape
    low = 0 if data.low_size is None else data.low_size**2 * width // height
    return count * ((height * width + low) * channels + 8) <= RESIDENT_SHARE * free


class OnRequest:
    """Images that the host gathers when they are asked for."""

    def __init__(self, data: TrainingData, batch_size: int, seed: int, device: torch.device, own: slice):
        self._data, self._device = data, device
        self._images = StepImages(data, batch_size, seed, own)

    def at(self, step: int, rows: slice) -> Delivered:
        """Return the images of some rows of a step's batch."""
        return sent(self._gathered(step, rows), self._device)

    def _gathered(self, step: int, rows: slice) -> Delivered:
        chosen, images = self._images.at(step, rows)
        return on_host(self._data, images, chosen)


class Ahead(OnRequest):
    """Images of which the host gathers those of the next step in the background, in pinned memory."""

    def __init__(self, data: TrainingData, batch_size: int, seed: int, device: torch.device, own: slice):
        super().__init__(data, batch_size, seed, device, own)
        self._own = own
        # One thread, so that the order of steps is kept.
        self._background = ThreadPoolExecutor(max_workers=1, thread_name_prefix="images")
        self._begun: dict[int, Future[Delivered]] = {}
        self._held: tuple[int, Delivered] | None = None

    def at(self, step: int, rows: slice) -> Delivered:
        """Return the images of some rows of a step's batch."""
        if self._held is None or self._held[0] != step:
            self._begun = {at: self._begun.get(at) or self._begin(at) for at in (step, step + 1)}
            self._held = step, sent(self._begun[step].result(), self._device)
        first = self._own.start
        return self._held[1].part(slice(rows.start - first, rows.stop - first))

    def _begin(self, step: int) -> Future[Delivered]:
        return self._background.submit(self._pinned, step)

    def _pinned(self, step: int) -> Delivered:
        found = self._gathered(step, self._own)
        if self._device.type != "cuda":
            return found
        low_res, y = (None if held is None else held.pin_memory() for held in (found.low_res, found.y))
        return Delivered(found.images.pin_memory(), low_res, y)


class Resident:
    """Images that all lie on the device."""

    def __init__(self, data: TrainingData, batch_size: int, seed: int, device: torch.device):
        self._batches, self._device = Batches(len(data.images), batch_size, seed), device
        parts = [
            sent(on_host(data, np.asarray(data.images[rows]), torch.arange(rows.start, rows.stop)), device)
            for rows in (slice(i, min(i + CHUNK, len(data.images))) for i in range(0, len(data.images), CHUNK))
        ]
        images, low_res, y = (joined([getattr(part, name) for part in parts]) for name in ("images", "low_res", "y"))
        self._all = Delivered(images, low_res, y)

    def at(self, step: int, rows: slice) -> Delivered:
        """Return the images of some rows of a step's batch."""
        chosen = self._batches.at(step)[rows]
        return self._all.part(chosen.to(self._device, non_blocking=True))


def joined(tensors: Sequence[Tensor | None]) -> Any:
    """Return tensors as one; None if they are None."""
    there = [tensor for tensor in tensors if tensor is not None]
    return torch.cat(there) if there else None


def on_host(data: TrainingData, images: np.ndarray, chosen: Int[Tensor, " batch"]) -> Delivered:
    """Return images as tensors, their low-resolution ones and their labels. chosen: their numbers in the data."""
    low_res = None if data.low_size is None else channels_first(shrunk(images, data.low_size))
    return Delivered(channels_first(images), low_res, None if data.labels is None else data.labels[chosen])


def sent(found: Delivered, device: torch.device) -> Delivered:
    """Return images on a device, where a copy may still be under way for which nobody has to wait."""
    low_res, y = (None if held is None else held.to(device, non_blocking=True) for held in (found.low_res, found.y))
    return Delivered(found.images.to(device, non_blocking=True), low_res, y)
