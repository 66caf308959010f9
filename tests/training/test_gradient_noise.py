"""The gradient noise scale: what it estimates, and where it is left out."""

import math

import pytest
import torch
from torch import nn

from diffbench.training.gradient_noise import GradientProducts, noise_scale


def test_the_scale_of_gradients_whose_mean_and_covariance_are_known():
    """G = (3, 4), Sigma = 200 I in 52 dimensions: B_simple = tr(Sigma) / |G|^2 = 52 * 200 / 25 = 416."""
    generator = torch.Generator().manual_seed(0)
    steps, batch_size, dimensions = 4000, 16, 52
    network = nn.Linear(dimensions, 1, bias=False).double()
    products, squares = GradientProducts(network), []
    mean = torch.zeros(1, dimensions, dtype=torch.float64)
    mean[0, :2] = torch.tensor([3.0, 4.0])
    found = []
    for _ in range(steps):
        noise = torch.randn(1, dimensions, generator=generator, dtype=torch.float64) * math.sqrt(200 / batch_size)
        network.weight.grad = mean + noise
        squares.append(float(network.weight.grad.square().sum()))
        found.append(float(products.next()))
    assert found[0] == 0
    scale = noise_scale(math.fsum(squares) / steps, math.fsum(found) / (steps - 1), batch_size)
    assert scale == pytest.approx(416, rel=0.05)


def test_numbers_by_hand():
    """|G|^2 = 3 and E|g|^2 = 5, so tr(Sigma) = 8 (5 - 3) = 16; equal gradients have no noise."""
    assert noise_scale(5.0, 3.0, 8) == pytest.approx(16 / 3)
    assert noise_scale(4.0, 4.0, 8) == 0


@pytest.mark.parametrize(("square", "product"), [(5.0, 0.0), (2.0, -1.0), (math.inf, math.inf), (math.nan, 1.0)])
def test_what_cannot_be_estimated_is_none(square, product):
    """A single step; gradients that oppose each other; gradients that overflowed."""
    assert noise_scale(square, product, 8) is None


def test_products_go_on_from_a_checkpoint_and_change_no_gradient():
    network = nn.Sequential(nn.Linear(2, 1), nn.Linear(1, 1))
    network[1].requires_grad_(False)
    held, again = GradientProducts(network), GradientProducts(network)
    for value, expected in ((1.0, 0.0), (2.0, 4.0), (-3.0, -12.0)):
        network[0].weight.grad = torch.full((1, 2), value)
        # The bias has no gradient, and counts as 0.
        assert float(held.next()) == expected
        assert network[0].weight.grad.tolist() == [[value, value]]
    again.restore([tensor.clone() for tensor in held.state])
    assert float(again.next()) == 18 and float(held.next()) == 18
