"""Bytes and floats over all 256 levels, under both published roundings."""

import numpy as np
import pytest
import torch

from diffbench.base.images import ROUNDINGS, rounded, to_float, truncated

torch.set_num_threads(1)
LEVELS = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)


def test_levels_become_equidistant_floats():
    x = to_float(LEVELS)
    assert x.shape == (1, 1, 16, 16) and x.dtype == torch.float32
    assert torch.allclose(x.flatten().double(), torch.linspace(-1, 1, 256, dtype=torch.float64), atol=1e-7)
    assert (x.min(), x.max()) == (-1, 1)


def test_channels_come_first_and_go_last():
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 5, 4), dtype=np.uint8)
    x = to_float(images)
    assert x.shape == (2, 4, 3, 5)
    assert x[1, 2, 0, 3] == np.float32(images[1, 0, 3, 2] / np.float32(127.5)) - 1
    assert np.array_equal(rounded(x), images)


def test_read_only_arrays_are_read():
    frozen = LEVELS.copy()
    frozen.flags.writeable = False
    assert np.array_equal(rounded(to_float(frozen)), LEVELS)


def test_rounding_inverts_every_level():
    assert np.array_equal(rounded(to_float(LEVELS)), LEVELS)


def test_truncation_cuts_the_fraction():
    # A level is kept from its exact float on until just below the next one, in steps that float32 resolves.
    exact = torch.arange(256, dtype=torch.float64)
    for above, kept in ((0.001, exact), (0.5, exact), (0.999, exact)):
        x = ((exact + above) / 127.5 - 1).clamp(max=1).float().reshape(1, 1, 16, 16)
        assert np.array_equal(truncated(x).ravel(), kept.clamp(max=255).numpy())
    below = ((exact - 0.001) / 127.5 - 1).float().reshape(1, 1, 16, 16)
    assert np.array_equal(truncated(below).ravel(), (exact - 1).clamp(min=0).numpy())


def test_the_two_rules_differ_on_half_of_all_floats():
    x = torch.rand(1, 1, 200, 200, generator=torch.Generator().manual_seed(0)) * 2 - 1
    difference = rounded(x).astype(int) - truncated(x).astype(int)
    assert set(np.unique(difference)) == {0, 1}
    assert abs(difference.mean() - 0.5) < 4 * 0.5 / 200


@pytest.mark.parametrize("rule", ROUNDINGS.values(), ids=ROUNDINGS.keys())
def test_values_outside_saturate(rule):
    x = torch.tensor([-50.0, -1.001, -1.0, 1.0, 1.001, 50.0]).reshape(1, 1, 1, 6)
    assert rule(x).ravel().tolist() == [0, 0, 0, 255, 255, 255]
    assert rule(x).dtype == np.uint8 and rule(x).shape == (1, 1, 6, 1)


def test_names_of_the_rules():
    assert ROUNDINGS == {"truncate": truncated, "round": rounded}
