"""The draws of torch's CPU generator without torch: MT19937, float32 normals by Box and Muller, permutations.

A published number that depends on torch's draws can so be computed where torch is not imported.
Source: torch's ATen/native/cpu/DistributionTemplates.h (`normal_fill`) and `randperm`; Matsumoto and Nishimura 1998.
"""

import numpy as np
from jaxtyping import Float, Int

GROUP = 16
"""torch makes normals in groups: the first half of a group's uniforms gives radii, the second half angles."""


class TorchDraws:
    """The numbers that `torch.Generator("cpu").manual_seed(seed)` gives, in the order in which they are asked for."""

    def __init__(self, seed: int):
        self._words = np.random.RandomState(seed)

    def normals(self, count: int) -> Float[np.ndarray, " count"]:
        """Return what `torch.randn` returns, apart from rounding in float32. count: at least 16.

        If the count is no multiple of 16, torch draws the last 16 numbers a second time.
        """
        assert count >= GROUP
        uniform = self._uniform(count)
        whole = count // GROUP * GROUP
        found = np.empty(count)
        found[:whole] = _box_muller(uniform[:whole])
        if whole < count:
            found[-GROUP:] = _box_muller(self._uniform(GROUP))
        return found

    def permutation(self, count: int) -> Int[np.ndarray, " count"]:
        """Return what `torch.randperm` returns."""
        words = self._raw(count - 1).tolist()
        order = list(range(count))
        for place, word in enumerate(words):
            other = place + word % (count - place)
            order[place], order[other] = order[other], order[place]
        return np.array(order)

    def _raw(self, count: int) -> np.ndarray:
        return self._words.randint(0, 2**32, count, dtype=np.uint32)

    def _uniform(self, count: int) -> np.ndarray:
        return (self._raw(count) & (2**24 - 1)) * 2.0**-24


def _box_muller(uniform: np.ndarray) -> np.ndarray:
    radii, angles = uniform.reshape(-1, 2, GROUP // 2).transpose(1, 0, 2)
    radii, angles = np.sqrt(-2 * np.log1p(-radii)), 2 * np.pi * angles
    return np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1).ravel()
