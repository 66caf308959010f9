"""Points between two draws of noise are as long as a draw, and the ends are the draws themselves."""

import pytest
import torch

from diffbench.diffusion.spherical import spherical


@pytest.fixture
def draws():
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(2, 3, 8, 8, generator=generator) for _ in range(2)]


def test_the_ends_are_exact_and_the_points_between_are_as_long_as_a_draw(draws):
    shares = torch.linspace(0, 1, 5, dtype=torch.float64)
    found = spherical(*draws, shares)
    assert found.shape == (2, 5, 3, 8, 8) and found.dtype == torch.float32
    assert torch.equal(found[:, 0], draws[0]) and torch.equal(found[:, -1], draws[1])
    lengths = found.flatten(2).norm(dim=2)
    # Draws have different lengths, and those between them have lengths between.
    low, high = lengths[:, [0, -1]].amin(dim=1), lengths[:, [0, -1]].amax(dim=1)
    assert (lengths.T >= 0.999 * low).all() and (lengths.T <= 1.001 * high).all()
    # The middle of a straight line would be shorter by the root of 2.
    assert ((draws[0] + draws[1]).flatten(1).norm(dim=1) / 2 < 0.85 * low).all()


def test_two_pixels_turn_by_equal_angles():
    first, last = torch.tensor([[[[1.0, 0.0]]]]), torch.tensor([[[[0.0, 1.0]]]])
    found = spherical(first, last, torch.linspace(0, 1, 4, dtype=torch.float64))[0, :, 0, 0]
    angles = torch.atan2(found[:, 1], found[:, 0]).rad2deg()
    assert torch.allclose(angles, torch.tensor([0.0, 30.0, 60.0, 90.0]))


def test_equal_draws_have_no_arc_and_stay_as_they_are(draws):
    found = spherical(draws[0], draws[0], torch.linspace(0, 1, 3, dtype=torch.float64))
    assert torch.allclose(found, draws[0][:, None].expand_as(found), atol=1e-6)
