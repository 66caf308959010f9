"""Features that look like a network's: nonnegative, skewed, with a decaying spectrum."""

import numpy as np
import pytest


@pytest.fixture
def network_like():
    """A function (seed, n, d, shift) -> features."""

    def make(seed: int, n: int, d: int, shift: float = 0.0) -> np.ndarray:
        draws = np.random.default_rng(seed)
        rotation = np.linalg.qr(np.random.default_rng(d).standard_normal((d, d)))[0]
        return np.maximum(0, shift + (draws.standard_normal((n, d)) * np.exp(-6 * np.arange(d) / d)) @ rotation)

    return make
