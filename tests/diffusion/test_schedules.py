"""Schedules against their definitions, and which timesteps a spacing keeps."""

import math

import numpy as np
import pytest

from diffbench.base.errors import UserError
from diffbench.diffusion.schedules import betas, cosine, linear, respaced


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


@pytest.mark.parametrize(
    ("timesteps", "spacing", "kept"),
    [
        (10, "", list(range(10))),
        (10, "10", list(range(10))),
        (10, "1", [0]),
        (10, "2", [0, 9]),
        (10, "4", [0, 3, 6, 9]),
        (9, "3", [0, 4, 8]),
        (6, "3", [0, 2, 5]),  # 2.5 is rounded to even
        (10, "ddim5", [0, 2, 4, 6, 8]),
        (10, "ddim4", [0, 3, 6, 9]),
        (10, "ddim1", [0]),
        (10, "2,3", [0, 4, 5, 7, 9]),
        (11, "1,1", [0, 6]),  # the first section takes the odd one
        (300, "10,15,20", None),
    ],
)
def test_kept_timesteps(timesteps, spacing, kept):
    found = respaced(timesteps, spacing)
    if kept is None:
        counts = [sum(start <= t < start + 100 for t in found) for start in (0, 100, 200)]
        assert counts == [10, 15, 20] and found[0] == 0 and found[-1] == 299
    else:
        assert found == kept


@pytest.mark.parametrize("timesteps", [7, 100, 1000])
def test_uniform_spacing_keeps_both_ends_and_no_step_twice(timesteps):
    for count in range(2, timesteps + 1, 1 if timesteps < 1000 else 37):
        kept = respaced(timesteps, str(count))
        assert len(kept) == count and kept[0] == 0 and kept[-1] == timesteps - 1
        assert (np.diff(kept) > 0).all()


def test_published_strides():
    assert respaced(1000, "ddim25") == list(range(0, 1000, 40))
    assert respaced(1000, "ddim50") == list(range(0, 1000, 20))


@pytest.mark.parametrize(
    ("spacing", "message"),
    [
        ("11", "11 steps asked of a section of 10 timesteps"),
        ("6,4", "6 steps asked of a section of 5"),
        ("ddim6", "no integer stride through 10 timesteps takes exactly 6 steps"),
        ("ddim", "'' is not a number of steps"),
        ("ddimx", "'x' is not a number"),
        ("0", "'0' is not a number of steps"),
        ("-3", "'-3' is not a number of steps"),
        ("3,,2", "'' is not a number"),
        ("2.5", "write 25, ddim25 or 10,15,20"),
    ],
)
def test_bad_spacings_are_one_line(spacing, message):
    with pytest.raises(UserError) as caught:
        respaced(10, spacing)
    assert message in str(caught.value) and f"'{spacing}'" in str(caught.value)
