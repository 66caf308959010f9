"""The images of a bound that one of several processes evaluates, and the results of all in the order of the images."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from diffbench.base.world import World
from diffbench.diffusion.micro_batches import Index, batch_ranges

Found = TypeVar("Found")


@dataclass(frozen=True)
class SharedIndex:
    """A share of an index: whole micro-batches, so that the network sees the same batches in every world.

    places: of this share in the whole index. index: the numbers of its images. batches: how many micro-batches it has.
    """

    world: World
    places: Index
    index: Index
    batches: int

    @classmethod
    def of(cls, index: Index, micro_batch: int, world: World) -> "SharedIndex":
        """Return this process's share of an index."""
        own = world.share(batch_ranges(len(index), micro_batch))
        places = torch.cat([torch.empty(0, dtype=torch.int64), *(torch.arange(*ends) for ends in own)])
        return cls(world, places, index[places], len(own))

    def among_first(self, count: int) -> int:
        """Return how many of this process's images are among the first `count` of the whole index."""
        return int((self.places < count).sum())

    def whole(self, evaluated: Callable[[], Found], *, same: str) -> Found:
        """Return the results of all processes as one, a dataclass of arrays in the order of the index.

        evaluated: returns those of this process's images. same: the field that is equal in all processes. The rows of
        every other field are images, or the first ones of the index.
        """
        own = evaluated() if self.batches else None
        held = [(places, found) for places, found in self.world.gathered((self.places, own)) if found is not None]
        first: Any = held[0][1]
        names = [field.name for field in dataclasses.fields(first) if field.name != same]
        merged = {name: _in_order([(places, getattr(found, name)) for places, found in held]) for name in names}
        return dataclasses.replace(first, **merged)


def _in_order(shares: Sequence[tuple[Index, Any]]) -> Any:
    """Return the rows of several arrays or tensors as one of their kind, each row at its place."""
    places = torch.cat([places[: len(rows)] for places, rows in shares])
    order = places.argsort()
    if isinstance(shares[0][1], Tensor):
        return torch.cat([rows for _, rows in shares])[order]
    return np.concatenate([rows for _, rows in shares])[order.numpy()]
