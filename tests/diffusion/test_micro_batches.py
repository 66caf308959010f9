"""Micro-batches cover the images once and have one size."""

import torch

from diffbench.diffusion.micro_batches import batch_ranges, micro_batches


def test_ranges_cover_the_images():
    assert batch_ranges(10, 4) == [(0, 4), (4, 8), (8, 10)]
    assert batch_ranges(8, 4) == [(0, 4), (4, 8)] and batch_ranges(0, 4) == []


def test_the_last_batch_is_filled_with_its_last_image():
    index = torch.tensor([9, 7, 5, 3, 2])
    found = [(place.start, place.stop, batch.tolist()) for place, batch in micro_batches(index, 3)]
    assert found == [(0, 3, [9, 7, 5]), (3, 5, [3, 2, 2])]
