"""The grid shows the very pixels of the samples."""

import numpy as np
import pytest
from PIL import Image

from diffbench.base.errors import UserError
from diffbench.figures._style import empty_figure, save_png
from diffbench.figures.samples import Samples, image_row


def test_rows_enlarge_without_smoothing():
    images = np.array([[[[10], [20]]], [[[30], [40]]]], np.uint8)  # two images of 1x2
    row = image_row(images, 3, upscale=2, gap=1)
    assert row.shape == (2, 3 * 4 + 2, 3)
    expected = [10, 10, 20, 20, 255, 30, 30, 40, 40, 255, 255, 255, 255, 255]
    assert row[0, :, 0].tolist() == row[1, :, 2].tolist() == expected


def test_file_holds_the_pixels_exactly(tmp_path):
    colour = np.array([12, 200, 77], np.uint8)
    save_png(Samples(columns=2)({"ddim, 10 steps": np.tile(colour, (2, 4, 4, 1))}), tmp_path / "a.png")
    pixels = np.asarray(Image.open(tmp_path / "a.png").convert("RGB"))
    exact = (pixels == colour).all(axis=-1)
    side = np.flatnonzero(exact.any(axis=1))
    # Two squares with the gap between them, and not one blended pixel at their edges.
    assert exact.sum() == 2 * len(side) ** 2 and len(side) % 4 == 0


def test_wrong_input_is_named(images):
    with pytest.raises(UserError, match=r"images of 'other' are \(8, 8\), of 'ddim, 10 steps' \(4, 4\)"):
        Samples()(images | {"other": np.zeros((2, 8, 8, 1), np.uint8)})
    with pytest.raises(UserError, match="no image sets"):
        Samples()({})
    with pytest.raises(ValueError, match="columns: 0"):
        Samples(columns=0)


def test_a_figure_of_more_rows_than_a_picture_can_be_high_is_drawn_smaller(tmp_path):
    for height, expected in ((70_000, 2**15), (2**15, 2**15), (900, 900)):
        save_png(empty_figure(width=100, height=height), tmp_path / "a.png")
        with Image.open(tmp_path / "a.png") as picture:
            assert picture.size[1] == expected
