"""The test for JPEG, on small pictures that were saved as JPEG and on the same pictures that were not."""

import io

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_images

from diffbench.datasets._jpeg_grid import saved_as_jpeg


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    draws = np.random.default_rng(0)
    found = []
    for photograph in load_sample_images().images:
        height, width, _ = photograph.shape
        for _ in range(100):
            side = int(draws.integers(64, 240))
            top, left = int(draws.integers(0, height - side)), int(draws.integers(0, width - side))
            crop = Image.fromarray(photograph[top : top + side, left : left + side])
            found.append(np.asarray(crop.resize((32, 32), Image.Resampling.BICUBIC)))
    return np.stack(found)


def as_jpeg(pictures: np.ndarray, quality: int) -> np.ndarray:
    found = []
    for picture in pictures:
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "JPEG", quality=quality)
        found.append(np.asarray(Image.open(file)))
    return np.stack(found)


def test_pictures_that_were_saved_as_jpeg_are_known_by_their_grid(pictures):
    assert not saved_as_jpeg(pictures)
    for quality in (50, 75, 90, 95):
        assert saved_as_jpeg(as_jpeg(pictures, quality)), quality
        # Three pixels further the grid is another one, as in crops of photographs.
        assert not saved_as_jpeg(as_jpeg(pictures, quality)[:, 3:, 3:]), quality


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((5, 32, 32, 3), np.uint8),
        np.full((5, 32, 32, 3), 255, np.uint8),
        np.zeros((0, 32, 32, 3), np.uint8),
        np.zeros((5, 8, 8, 3), np.uint8),
        np.zeros((5, 28, 28, 1), np.uint8),
        np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3)).astype(np.uint8),
    ],
)
def test_flat_small_grey_and_noisy_images_are_not_taken_for_jpeg(images):
    assert saved_as_jpeg(images) is False
