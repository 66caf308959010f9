"""Images made smaller and larger, against their definitions."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from diffbench.base.errors import UserError
from diffbench.base.images import to_float
from diffbench.base.sizes import enlarged, shrunk, shrunk_shape

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 12, 12, 3), dtype=np.uint8)


@pytest.mark.parametrize("size", [6, 4, 3, 2])
def test_shrunk_is_the_exact_mean_rounded_half_up(size):
    found, times = shrunk(IMAGES, size), 12 // size
    assert found.shape == (5, size, size, 3) and found.dtype == np.uint8
    for n, y, x, c in np.ndindex(*found.shape):
        square = IMAGES[n, y * times : (y + 1) * times, x * times : (x + 1) * times, c]
        mean = Fraction(int(square.sum()), times * times)
        assert found[n, y, x, c] == (2 * mean + 1) // 2


def test_halves_are_rounded_up():
    image = np.array([[0, 1], [1, 0]], np.uint8).reshape(1, 2, 2, 1)
    assert shrunk(image, 1).item() == 1


@pytest.mark.parametrize("size", [6, 4])
def test_shrunk_is_within_half_a_level_of_the_published_area_interpolation(size):
    """guided-diffusion's super_res_train.py: F.interpolate(batch, small_size, mode="area")."""
    published = interpolate(to_float(IMAGES), size, mode="area")
    assert (to_float(shrunk(IMAGES, size)) - published).abs().max() <= 0.5 / 127.5 + 1e-6


@pytest.mark.parametrize("size", [6, 4])
def test_shrinking_commutes_with_a_flip(size):
    assert np.array_equal(shrunk(IMAGES[:, :, ::-1], size), shrunk(IMAGES, size)[:, :, ::-1])


@pytest.mark.parametrize(("height", "width"), [(24, 24), (36, 12), (13, 30)])
def test_enlarged_is_what_the_upsamplers_network_is_given_rounded(height, width):
    given = interpolate(to_float(IMAGES).double(), (height, width), mode="bilinear")
    expected = ((given + 1) * 127.5).permute(0, 2, 3, 1).numpy()
    found = enlarged(IMAGES, height, width)
    assert found.dtype == np.uint8 and np.abs(found - expected).max() <= 0.5 + 1e-4


def test_a_flat_image_stays_what_it_is():
    flat = np.broadcast_to(np.arange(256, dtype=np.uint8)[:, None, None, None], (256, 4, 4, 1))
    assert np.array_equal(enlarged(flat, 8, 8), flat.repeat(2, 1).repeat(2, 2))
    assert np.array_equal(shrunk(enlarged(flat, 8, 8), 4), flat)


@pytest.mark.parametrize("size", [12, 5, 24])
def test_a_size_that_does_not_divide_is_refused(size):
    with pytest.raises(UserError, match=f"images of 12x12 cannot be shrunk to a height of {size}"):
        shrunk(IMAGES, size)
    with pytest.raises(UserError, match="cannot be shrunk"):
        shrunk(IMAGES[:, :, :10], 4)


def test_shapes_of_networks():
    assert shrunk_shape((3, 12, 24), 4) == (3, 4, 8)
    assert shrunk_shape((3, 12, 24), None) == (3, 12, 24)


def test_torch_and_numpy_agree_on_the_mean_of_a_batch_read_only():
    frozen = IMAGES.copy()
    frozen.flags.writeable = False
    exact = torch.from_numpy(IMAGES.astype(np.int64)).reshape(5, 4, 3, 4, 3, 3).sum((2, 4))
    assert np.array_equal(shrunk(frozen, 4), ((2 * exact + 9) // 18).numpy())
