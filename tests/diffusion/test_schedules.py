"""Schedules against their definitions."""

import math

import numpy as np
import pytest

from diffbench.base.errors import UserError
from diffbench.diffusion.schedules import betas, cosine, linear


def test_linear_ends():
    table = linear(1000)
    assert table.dtype == np.float64 and len(table) == 1000
    assert table[0] == 1e-4 and table[-1] == 0.02
    assert np.allclose(np.diff(table), (0.02 - 1e-4) / 999, rtol=1e-9)
    assert np.allclose(linear(250)[[0, -1]], [4e-4, 0.08])


def test_cosine_is_eq_17():
    T, s = 1000, 0.008
    f = np.array([math.cos((t / T + s) / (1 + s) * math.pi / 2) ** 2 for t in range(T + 1)])
    alpha_bar = np.cumprod(1 - cosine(T))
    # Only the last beta is cut at 0.999; up to it the product is f(t) / f(0).
    assert np.allclose(alpha_bar[:-1], f[1:-1] / f[0], rtol=1e-9)
    assert cosine(T)[-1] == 0.999 and (cosine(T)[:-1] < 0.999).all()


def test_betas_that_leave_the_unit_interval_are_refused():
    assert len(betas("linear", 21)) == 21
    with pytest.raises(UserError, match=r"linear with 20 timesteps has a beta of 1; use more"):
        betas("linear", 20)
    assert len(betas("cosine", 2)) == 2
