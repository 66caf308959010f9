"""Counter-based random streams for all of diffbench: the noise of image k depends on (seed, purpose, k) alone.

Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") in 64-bit integer tensors. The key
is a hash of the seed; the counter is (block, draw, index, purpose). Integers are equal on every device; normals are
computed in float64 and rounded to float32, so that they are equal or one unit in the last place apart.
"""

import hashlib
import math
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

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

MASK = 0xFFFFFFFF
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10


def philox(counter: Sequence[Tensor], key: tuple[int, int]) -> list[Tensor]:
    """Return four tensors of 32-bit words (in int64) for four tensors of counter words.

    Tests compare it with the known answers of the Random123 library. Source: Salmon et al. 2011, section 4.3.
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(ROUNDS):
        # int64 products wrap modulo 2^64. The mask after the arithmetic shift leaves the high word as an unsigned one.
        product0, product1 = c0 * MULTIPLIERS[0], c2 * MULTIPLIERS[1]
        high0, high1 = (product0 >> 32).bitwise_and_(MASK), (product1 >> 32).bitwise_and_(MASK)
        c0, c1 = high1.bitwise_xor_(c1).bitwise_xor_(k0), product1.bitwise_and_(MASK)
        c2, c3 = high0.bitwise_xor_(c3).bitwise_xor_(k1), product0.bitwise_and_(MASK)
        k0, k1 = (k0 + WEYL[0]) & MASK, (k1 + WEYL[1]) & MASK
    return [c0, c1, c2, c3]


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

    def words(self, index: Int[Tensor, " batch"], draw: Draw, count: int) -> Int[Tensor, "batch count"]:
        """Return `count` 32-bit words for each index, as int64 in [0, 2^32); draw: one number, or one per index."""
        blocks = -(-count // 4)
        index = index.to(self._device, torch.int64)[:, None]
        shape = (len(index), blocks)
        block = torch.arange(blocks, device=self._device).expand(shape)
        high = (index >> 32) | (self._purpose << 24)
        number = torch.as_tensor(draw, device=self._device).reshape(-1, 1).expand(shape)
        counter = [block, number, (index & MASK).expand(shape), high.expand(shape)]
        return torch.stack(philox(counter, self._key), dim=-1).reshape(len(index), blocks * 4)[:, :count]

    def normal(self, index: Int[Tensor, " batch"], draw: Draw, shape: Sequence[int]) -> Float[Tensor, "batch ..."]:
        """Return standard normals (float32) of `shape` for each index, by Box and Muller's transform in float64."""
        size = math.prod(shape)
        uniform = self.words(index, draw, size + size % 2).double().add_(0.5).mul_(2.0**-32)
        first, second = uniform[:, 0::2], uniform[:, 1::2]
        radius, angle = first.log().mul_(-2).sqrt_(), second * (2 * math.pi)
        pairs = torch.stack([radius * angle.cos(), radius * angle.sin()], dim=-1)
        return pairs.flatten(1)[:, :size].float().reshape(len(index), *shape)

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
