"""Counter-based random streams for all of diffbench: the noise of image k depends on (seed, purpose, k) alone.

The generator is Philox4x32-10 (base/philox.py). Its key is a hash of the seed; its counter is (block, draw, index,
purpose). Integers are equal on every device, and normals are equal or one unit in the last place apart.
"""

import hashlib
import math
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from diffbench.base.philox import fused_normals, fused_words, normals, words

PURPOSES = {
    "x_T": 1,
    "step": 2,
    "bound": 3,
    "train": 4,
    "flip": 5,
    "dropout": 6,
    "label": 7,
    "order": 8,
    "init": 9,
    "data": 10,
    "label_dropout": 11,
    "crop": 12,
    "held_out": 13,
    "validation": 14,
}
"""What a draw is for. Two purposes never share a counter, and the number of a purpose is never given to another.

Two places that use the same purpose get the same numbers under equal seeds. "train", "init" and "order" are used to
train a model and to fit an extractor, "bound" for the bound and for progressive coding, "data" for every exact
distribution. A model and an extractor are different networks with different inputs, so this does no harm; a purpose
for the fit alone would change the bytes of every fitted extractor.
"""

Draw = int | Int[Tensor, " batch"]


def key_of(seed: int | str) -> tuple[int, int]:
    """Return the generator's key: the first 64 bits of the SHA-256 of the seed."""
    value = hashlib.sha256(str(seed).encode()).digest()
    return int.from_bytes(value[:4], "little"), int.from_bytes(value[4:8], "little")


class Stream:
    """Random numbers for one purpose and seed, addressed by index (which image) and draw (which draw for it)."""

    def __init__(self, seed: int | str, purpose: str, device: torch.device | str = "cpu"):
        self._key = key_of(seed)
        self._purpose = PURPOSES[purpose]
        self._device = torch.device(device)
        self._named: Tensor | None = None
        if self._device.type == "cuda":
            self._named = torch.tensor([*self._key, self._purpose], device=self._device)

    def words(self, index: Int[Tensor, " batch"], draw: Draw, count: int) -> Int[Tensor, "batch count"]:
        """Return `count` 32-bit words for each index, as int64 in [0, 2^32); draw: one number, or one per index."""
        index, draw = self._counted(index, draw)
        if self._named is not None:
            return fused_words(index, draw, self._named, count)
        return words(index, draw, self._key, self._purpose, count)

    def normal(self, index: Int[Tensor, " batch"], draw: Draw, shape: Sequence[int]) -> Float[Tensor, "batch ..."]:
        """Return standard normals (float32) of `shape` for each index, by Box and Muller's transform in float64."""
        index, draw = self._counted(index, draw)
        if self._named is not None:
            found = fused_normals(index, draw, self._named, math.prod(shape))
        else:
            found = normals(index, draw, self._key, self._purpose, math.prod(shape))
        return found.reshape(len(index), *shape)

    def _counted(self, index: Int[Tensor, " batch"], draw: Draw) -> tuple[Tensor, Tensor]:
        """Return indices and draws on the stream's device, which the host does not wait for."""
        index = index.to(self._device, torch.int64, non_blocking=True)
        if isinstance(draw, Tensor):
            return index, draw.to(self._device, torch.int64, non_blocking=True)
        return index, torch.full((), draw, dtype=torch.int64, device=self._device)

    def uniform(self, index: Int[Tensor, " batch"], draw: Draw, count: int = 1) -> Float[Tensor, "batch count"]:
        """Return uniforms in (0, 1), float64."""
        return self.words(index, draw, count).double().add_(0.5).mul_(2.0**-32)

    def integers(self, index: Int[Tensor, " batch"], draw: Draw, high: int) -> Int[Tensor, " batch"]:
        """Return integers in [0, high), by multiplication and shift (bias below high / 2^32)."""
        return (self.words(index, draw, 1)[:, 0] * high) >> 32

    def bits(self, index: Int[Tensor, " batch"], draw: Draw) -> Bool[Tensor, " batch"]:
        """Return fair coin flips: the top bit of a word."""
        return self.words(index, draw, 1)[:, 0] >= 1 << 31


def permutation(seed: int | str, epoch: int, size: int) -> Int[Tensor, " size"]:
    """Return the order of the data in an epoch: a stable sort of the stream for (seed, epoch)."""
    keys = Stream(seed, "order").words(torch.arange(size), epoch, 1)[:, 0]
    return torch.argsort(keys, stable=True)


def seed_torch(seed: int | str, purpose: str, draw: int = 0, index: int = 0) -> None:
    """Seed torch's own generator for what cannot be drawn from a stream: initial weights, and dropout at a step.

    index: the first row of the part of a batch whose dropout it is.
    """
    words = Stream(seed, purpose).words(torch.tensor([index]), draw, 2)[0]
    torch.manual_seed(int(words[0]) << 31 | int(words[1]) >> 1)  # pyright: ignore[reportUnknownMemberType]
