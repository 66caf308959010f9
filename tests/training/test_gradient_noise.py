"""The gradient noise scale: what it estimates, where it is left out, and that measuring it changes no weight."""

import math

import pytest
import torch
from torch import nn

from diffbench.training.gradient_noise import GradientSum, noise_scale


def test_the_scale_of_gradients_whose_mean_and_covariance_are_known():
    """G = (3, 4), Sigma = 200 I in 50 dimensions more: B_simple = tr(Sigma) / |G|^2 = 52 * 200 / 25 = 416."""
    generator = torch.Generator().manual_seed(0)
    steps, batch_size, dimensions = 4000, 16, 52
    mean = torch.zeros(dimensions, dtype=torch.float64)
    mean[:2] = torch.tensor([3.0, 4.0])
    noise = torch.randn(steps, dimensions, generator=generator, dtype=torch.float64) * math.sqrt(200 / batch_size)
    gradients = mean + noise
    squares = float(gradients.square().sum())
    of_sum = float(gradients.sum(dim=0).square().sum())
    assert noise_scale(squares, of_sum, steps, batch_size) == pytest.approx(416, rel=0.05)


def test_two_gradients_by_hand():
    """g = 1 and 3: S_1 = 5, S_K = 4, so |G|^2 = 3 and tr(Sigma) = 8 (5 - 4) 2 = 16."""
    assert noise_scale(1.0 + 9.0, 16.0, 2, 8) == pytest.approx(16 / 3)


def test_equal_gradients_have_no_noise():
    assert noise_scale(3 * 4.0, 36.0, 3, 8) == pytest.approx(0)


@pytest.mark.parametrize(
    ("squares", "of_sum", "steps"), [(5.0, 5.0, 1), (2.0, 0.0, 2), (math.inf, math.inf, 3), (math.nan, 1.0, 3)]
)
def test_what_cannot_be_estimated_is_none(squares, of_sum, steps):
    """One step; gradients that cancel each other, for which |G|^2 would be below 0; gradients that overflowed."""
    assert noise_scale(squares, of_sum, steps, 8) is None


def test_the_sum_of_gradients_is_begun_again_and_goes_on_from_a_checkpoint():
    network = nn.Sequential(nn.Linear(2, 1), nn.Linear(1, 1))
    network[1].requires_grad_(False)
    held = GradientSum(network)
    for value in (1.0, 2.0):
        network[0].weight.grad = torch.full((1, 2), value)
        held.add()
    # The bias has no gradient, and counts as 0.
    assert held.squared_norm() == 2 * 3.0**2
    again = GradientSum(network)
    again.restore([tensor.clone() for tensor in held.state])
    again.add()
    assert again.squared_norm() == 2 * 5.0**2
    assert held.squared_norm() == 2 * 3.0**2
    held.clear()
    assert held.squared_norm() == 0
