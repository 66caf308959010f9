"""Philox4x32-10 in 64-bit integer tensors, and the normals that Box and Muller's transform makes of its words.

Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3". Integers are equal on every device; normals are
computed in float64 and rounded to float32, so that they are equal or one unit in the last place apart.

In PyTorch's own operations this is about 150 small kernels. On a GPU, where the start of each of them takes longer than
its work, torch.compile makes one kernel of them.
"""

import math
import sys
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

MASK = 0xFFFFFFFF
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10
PURPOSE_BIT = 24
"""The bits of the counter's last word above this one hold the purpose; those below, the high word of the index."""

Halves = tuple[Tensor, Tensor]
"""The high and the low 32 bits of a product."""


def wrapped(word: Tensor, factor: int) -> Halves:
    """Return the halves of word x factor from one product, which wraps modulo 2^64 in PyTorch's integers."""
    product = word * factor
    # The mask after the arithmetic shift leaves the high word as an unsigned one.
    return (product >> 32).bitwise_and_(MASK), product.bitwise_and_(MASK)


def without_overflow(word: Tensor, factor: int) -> Halves:
    """Return the halves of word x factor from products below 2^63.

    A compiler of C++ may take it that signed integers never overflow, and leave out the mask of `wrapped`.
    """
    low, high = (word & 0xFFFF) * factor, (word >> 16) * factor
    high = high + (low >> 16)
    return high >> 16, ((high & 0xFFFF) << 16) | (low & 0xFFFF)


def philox(
    counter: Sequence[Tensor],
    key: tuple[int, int] | tuple[Tensor, Tensor],
    multiplied: Callable[[Tensor, int], Halves] = wrapped,
) -> list[Tensor]:
    """Return four tensors of 32-bit words (in int64) for four tensors of counter words.

    Tests compare it with the known answers of the Random123 library. Source: Salmon et al. 2011, section 4.3.
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(ROUNDS):
        high0, low0 = multiplied(c0, MULTIPLIERS[0])
        high1, low1 = multiplied(c2, MULTIPLIERS[1])
        c0, c1 = high1.bitwise_xor_(c1).bitwise_xor_(k0), low1
        c2, c3 = high0.bitwise_xor_(c3).bitwise_xor_(k1), low0
        k0, k1 = (k0 + WEYL[0]) & MASK, (k1 + WEYL[1]) & MASK
    return [c0, c1, c2, c3]


def counters(
    index: Int[Tensor, " batch"], draw: Int[Tensor, "*batch"], purpose: int | Tensor, blocks: int
) -> list[Tensor]:
    """Return the counter words (block, draw, index, purpose) of `blocks` blocks of four words for each index."""
    index = index[:, None]
    shape = (len(index), blocks)
    block = torch.arange(blocks, device=index.device).expand(shape)
    high = (index >> 32) | (purpose << PURPOSE_BIT)
    return [block, draw.reshape(-1, 1).expand(shape), (index & MASK).expand(shape), high.expand(shape)]


def words(
    index: Int[Tensor, " batch"], draw: Int[Tensor, "*batch"], key: tuple[int, int], purpose: int, count: int
) -> Int[Tensor, "batch count"]:
    """Return `count` words for each index, by PyTorch's own operations."""
    blocks = -(-count // 4)
    found = torch.stack(philox(counters(index, draw, purpose, blocks), key), dim=-1)
    return found.reshape(len(index), blocks * 4)[:, :count]


def normals(
    index: Int[Tensor, " batch"], draw: Int[Tensor, "*batch"], key: tuple[int, int], purpose: int, count: int
) -> Float[Tensor, "batch count"]:
    """Return `count` standard normals (float32) for each index, by PyTorch's own operations."""
    uniform = words(index, draw, key, purpose, count + count % 2).double().add_(0.5).mul_(2.0**-32)
    first, second = uniform[:, 0::2], uniform[:, 1::2]
    radius, angle = first.log().mul_(-2).sqrt_(), second * (2 * math.pi)
    pairs = torch.stack([radius * angle.cos(), radius * angle.sin()], dim=-1)
    return pairs.flatten(1)[:, :count].float()


def fusible_words(
    index: Int[Tensor, " batch"], draw: Int[Tensor, "*batch"], named: Int[Tensor, "3"], count: int
) -> Int[Tensor, "batch count"]:
    """Return what `words` does, in operations that make one kernel. named: the key's two words and the purpose.

    They are a tensor because a compiled function is made anew for each new number.
    """
    found = torch.stack(_blocks(index, draw, named, count), dim=-1)
    return found.flatten(1)[:, :count]


def fusible_normals(
    index: Int[Tensor, " batch"], draw: Int[Tensor, "*batch"], named: Int[Tensor, "3"], count: int
) -> Float[Tensor, "batch count"]:
    """Return what `normals` does, in operations that make one kernel. named: as for `fusible_words`."""
    uniform = [(word.double() + 0.5) * 2.0**-32 for word in _blocks(index, draw, named, count)]
    found: list[Tensor] = []
    for first, second in (uniform[:2], uniform[2:]):
        radius, angle = (-2 * first.log()).sqrt(), second * (2 * math.pi)
        found += [radius * angle.cos(), radius * angle.sin()]
    return torch.stack(found, dim=-1).flatten(1)[:, :count].float()


def _blocks(index: Tensor, draw: Tensor, named: Tensor, count: int) -> list[Tensor]:
    counter = counters(index, draw, named[2], -(-count // 4))
    return philox(counter, (named[0], named[1]), without_overflow)


Fusible = Callable[[Tensor, Tensor, Tensor, int], Tensor]


class Fused:
    """A function that torch.compile makes one kernel of; itself, after a line on stderr, where there is no compiler.

    Nothing depends on which of the two runs, except the last bit of a normal.
    """

    def __init__(self, function: Fusible):
        self._function = function
        self._chosen: Fusible | None = None

    def __call__(self, index: Tensor, draw: Tensor, named: Tensor, count: int) -> Tensor:
        if self._chosen is not None:
            return self._chosen(index, draw, named, count)
        # The compiler is imported by this call, since many processes never need it.
        compiled = torch.compile(self._function, dynamic=False)
        try:
            found = compiled(index, draw, named, count)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:
            reason = str(error).strip().partition("\n")[0]
            sys.stderr.write(f"diffbench: noise is drawn by many small kernels, since none was compiled: {reason}\n")
            self._chosen = self._function
            return self._function(index, draw, named, count)
        self._chosen = compiled
        return found


fused_words = Fused(fusible_words)
fused_normals = Fused(fusible_normals)
