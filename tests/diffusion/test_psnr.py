"""PSNR against its definition, of bytes and of floats in [-1, 1] alike."""

import math

import numpy as np

from diffbench.diffusion.psnr import psnr


def test_the_definition_and_equal_images():
    found = psnr(np.array([12.5, 255.0**2, 0.0]), peak=255)
    assert math.isclose(found[0], 10 * math.log10(255**2 / 12.5)) and found[1] == 0 and found[2] == math.inf


def test_floats_have_that_of_their_bytes():
    levels, others = np.array([100.0, 200.0]), np.array([103.0, 196.0])
    floats = ((levels / 127.5 - 1) - (others / 127.5 - 1)) ** 2
    assert np.allclose(psnr(floats[None].mean(1), peak=2), psnr(((levels - others) ** 2)[None].mean(1), peak=255))
