"""PSNR of pairs of images, against its definition and scikit-image's formula."""

import math

import numpy as np
import pytest

from diffbench.base.errors import UserError
from diffbench.metrics.psnr import Psnr

TRUTH = np.random.default_rng(0).integers(0, 256, (9, 8, 8, 3), dtype=np.uint8)


def test_one_level_everywhere_and_the_whole_range():
    def value(images, truth):
        return Psnr()({"images": images}, {"images": truth}).value

    black, white = np.zeros((2, 4, 4, 1), np.uint8), np.full((2, 4, 4, 1), 255, np.uint8)
    assert value(black + np.uint8(1), black) == pytest.approx(20 * math.log10(255))
    assert value(black, white) == pytest.approx(0) and value(white, black) == pytest.approx(0)


def test_the_mean_over_images_and_its_standard_error():
    images = np.random.default_rng(1).integers(0, 256, TRUTH.shape, dtype=np.uint8)
    each = [10 * math.log10(255**2 / np.mean((a.astype(int) - b) ** 2)) for a, b in zip(images, TRUTH, strict=True)]
    found = Psnr()({"images": images}, {"images": TRUTH})
    assert found.value == pytest.approx(np.mean(each))
    assert found.high - found.value == pytest.approx(1.959964 * np.std(each, ddof=1) / 3, rel=1e-6)


def test_another_order_is_another_number():
    images = np.clip(TRUTH.astype(int) + 3, 0, 255).astype(np.uint8)
    near, far = (Psnr()({"images": found}, {"images": TRUTH}).value for found in (images, images[::-1]))
    assert near > 35 > 12 > far


def test_other_shapes_and_single_images_are_refused():
    with pytest.raises(UserError, match="two or more pairs of equal size"):
        Psnr()({"images": TRUTH[:, :4]}, {"images": TRUTH})
    with pytest.raises(UserError, match="two or more pairs of equal size"):
        Psnr()({"images": TRUTH[:1]}, {"images": TRUTH[:1]})


def test_floats_are_refused_whose_range_nobody_knows():
    with pytest.raises(UserError, match="psnr: float64 images for uint8 ones"):
        Psnr()({"images": TRUTH / 255}, {"images": TRUTH})
