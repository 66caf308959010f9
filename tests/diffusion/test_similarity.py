"""PSNR of two images, and SSIM against the equations, written out with loops, and against an independent implementation's numbers."""

import math

import numpy as np
import pytest
import torch

from diffbench.diffusion.similarity import psnr, ssim, ssim_window


def images(height, width, channels=1, batch=2):
    """Smooth images, and the same with noise, as floats in [-1, 1] that any implementation can make again."""
    rows, columns = np.mgrid[0:height, 0:width]
    clean = np.stack([np.sin(rows / (3 + k)) * np.cos(columns / (2 + k)) for k in range(batch * channels)])
    noise = np.stack([np.sin(12.9898 * rows + 78.233 * columns + k) for k in range(batch * channels)])
    shape = (batch, channels, height, width)
    x = torch.from_numpy(clean).reshape(shape)
    return x, (x + 0.3 * torch.from_numpy(noise).reshape(shape)).clamp(-1, 1)


def by_loops(x, y):
    """Wang et al. 2004, eq. 13 and 17 on grey levels 0-255, place by place."""
    x, y = (255 * (image.numpy() + 1) / 2 for image in (x, y))
    side = min(11, *x.shape)
    side -= 1 - side % 2
    place = np.arange(side) - side // 2
    weight = np.exp(-(place[:, None] ** 2 + place[None] ** 2) / (2 * 1.5**2))
    weight /= weight.sum()
    c_1, c_2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    values = []
    for i in range(x.shape[0] - side + 1):
        for j in range(x.shape[1] - side + 1):
            a, b = x[i : i + side, j : j + side], y[i : i + side, j : j + side]
            mean_a, mean_b = (weight * a).sum(), (weight * b).sum()
            var_a, var_b = (weight * (a - mean_a) ** 2).sum(), (weight * (b - mean_b) ** 2).sum()
            covariance = (weight * (a - mean_a) * (b - mean_b)).sum()
            top = (2 * mean_a * mean_b + c_1) * (2 * covariance + c_2)
            values.append(top / ((mean_a**2 + mean_b**2 + c_1) * (var_a + var_b + c_2)))
    return np.mean(values)


@pytest.mark.parametrize("size", [(8, 8), (13, 20), (32, 32)])
def test_structural_similarity_by_loops(size):
    x, y = images(*size, channels=2)
    expected = [
        np.mean([by_loops(a, b) for a, b in zip(one, other, strict=True)]) for one, other in zip(x, y, strict=True)
    ]
    assert np.allclose(ssim(x, y), expected, rtol=1e-12)


def test_structural_similarity_of_an_independent_implementation():
    # scikit-image 0.26.0: structural_similarity(x, y, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
    # data_range=1, channel_axis=0) of grey levels (x + 1) / 2.
    assert np.allclose(ssim(*images(32, 32)), [0.8586547821087674, 0.770670837933559], rtol=1e-9)
    assert np.allclose(ssim(*images(16, 24, channels=3)), [0.7863284732720522, 0.5748360228835865], rtol=1e-9)


def test_signal_to_noise_is_that_of_bytes():
    x = torch.tensor([100.0, 200.0]).reshape(1, 1, 1, 2) / 127.5 - 1
    y = torch.tensor([103.0, 196.0]).reshape(1, 1, 1, 2) / 127.5 - 1
    assert math.isclose(psnr(x, y)[0], 10 * math.log10(255**2 / 12.5), rel_tol=1e-5)
    assert psnr(x, x)[0] == math.inf


def test_equal_images_are_alike_and_noise_makes_them_less_so():
    x, y = images(32, 32)
    assert torch.allclose(ssim(x, x), torch.ones(2, dtype=torch.float64))
    nearer = x + 0.3 * (y - x)
    assert (ssim(x, nearer) > ssim(x, y)).all() and (psnr(x, nearer) > psnr(x, y)).all()
    assert torch.equal(ssim(x, y), ssim(y, x))


def test_the_window_fits_small_images():
    assert [ssim_window(*size) for size in ((32, 32), (11, 11), (10, 40), (8, 8), (1, 5))] == [11, 11, 9, 7, 1]
