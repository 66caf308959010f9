"""The closed-form denoiser, against Bayes' rule by quadrature."""

import math

import numpy as np
import pytest
import torch

from diffbench.diffusion.gaussians import GaussianDenoiser
from diffbench.diffusion.process import Level

torch.set_num_threads(1)


@pytest.mark.parametrize(("alpha", "sigma"), [(0.8, 0.6), (0.05, 0.9987), (1.0, 12.0), (0.99, 0.02)])
def test_the_posterior_mean_of_normal_data_by_quadrature(alpha, sigma):
    mean, variance, x_t = 0.3, 0.25, 0.7 * math.hypot(alpha, sigma)
    x_0 = np.linspace(-6, 6, 400_001)
    log = -((x_0 - mean) ** 2) / (2 * variance) - (x_t - alpha * x_0) ** 2 / (2 * sigma**2)
    weight = np.exp(log - log.max())
    level = Level(*torch.tensor([alpha, sigma], dtype=torch.float64))
    found = GaussianDenoiser(mean, variance, 0.5)(torch.full((2, 1, 1, 1), x_t, dtype=torch.float64), level)
    assert math.isclose(found.x_0[0], (x_0 * weight).sum() / weight.sum(), rel_tol=1e-6)
    assert math.isclose(alpha * found.x_0[0] + sigma * found.eps[0], x_t, rel_tol=1e-9)
    assert found.variance_fraction.shape == (2, 1, 1, 1) and (found.variance_fraction == 0.5).all()


def test_means_and_variances_may_differ_by_pixel():
    mean, variance = torch.tensor([[[0.0, 1.0]]]).double(), torch.tensor([[[0.0, 1e12]]]).double()
    level = Level(torch.tensor(0.5).double(), torch.tensor(0.5).double())
    found = GaussianDenoiser(mean, variance)(torch.ones(1, 1, 1, 2).double(), level)
    # A pixel without spread is known beforehand; of one with all spread, only x_t tells.
    torch.testing.assert_close(found.x_0, torch.tensor([[[[0.0, 2.0]]]]).double())
