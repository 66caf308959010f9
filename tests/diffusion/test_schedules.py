"""Schedules against their definitions."""

import math

import numpy as np
import pytest

from diffbench.base.errors import UserError
from diffbench.commands.contract import schedule as contract
from diffbench.diffusion.schedules import SCHEDULES, betas, cosine, linear


@pytest.mark.parametrize("check", contract.checks(linear), ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", SCHEDULES)
def test_keeps_the_contract(check, name):
    check(SCHEDULES[name])


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


OWN = """
import numpy as np

def good(timesteps):
    return 1 - np.exp(-12 / timesteps * np.linspace(0.001, 2, timesteps))

def short(timesteps):
    return good(timesteps)[1:]

def high(timesteps):
    return good(timesteps) + 1

def fails(timesteps):
    return timesteps.nothing
"""


def test_a_schedule_of_your_own_is_named_by_its_dotted_path(tmp_path, monkeypatch):
    (tmp_path / "own_schedules.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    assert betas("own_schedules.good", 10).shape == (10,)
    for name, message in {
        "short": r"own_schedules.short: returned an array of shape \(9,\), not one beta for each of 10 timesteps",
        "high": "own_schedules.high with 10 timesteps has a beta of",
        "fails": "own_schedules.fails: AttributeError: 'int' object has no attribute 'nothing'",
        "absent": "schedule: own_schedules has no function 'absent'",
    }.items():
        with pytest.raises(UserError, match=message):
            betas(f"own_schedules.{name}", 10)
    with pytest.raises(UserError, match="cannot import 'nowhere'"):
        betas("nowhere.at_all", 10)
