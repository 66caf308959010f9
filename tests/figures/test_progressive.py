"""Reconstructions from the lowest rate to the highest, then the image, pixel by pixel."""

import numpy as np
import pytest
from PIL import Image

from diffbench.base.errors import UserError
from diffbench.figures._style import save_png
from diffbench.figures.progressive import Progressive


def test_columns_rise_in_rate_and_end_with_the_image(tmp_path):
    greys = np.array([200, 150, 100], np.uint8)  # by ascending t: the best reconstruction first
    kept = {"originals": np.full((1, 2, 2, 1), 250, np.uint8), "rate": np.array([3.0, 1.0, 0.1])}
    kept |= {"reconstructions": np.broadcast_to(greys[None, :, None, None, None], (1, 3, 2, 2, 1))}
    save_png(Progressive()(kept | {"rmse": np.array([1.0, 9.0, 40.0])}), tmp_path / "a.png")
    pixels = np.asarray(Image.open(tmp_path / "a.png").convert("RGB"))
    where = {grey: np.argwhere((pixels == grey).all(axis=-1)) for grey in (100, 150, 200, 250)}
    # Text is drawn in greys too, so it is the largest run of a grey in one row that counts.
    left = {grey: np.median(places[:, 1]) for grey, places in where.items()}
    assert left[100] < left[150] < left[200] < left[250]
    assert min(len(places) for places in where.values()) > 10_000


def test_labels_are_rate_and_error(progressive):
    texts = [text.get_text() for text in Progressive(title="ddpm")(progressive).texts]
    assert texts[:5] == ["2.0e-5\n99", "0.1\n50", "0.5\n10", "2\n1", "image"] and "ddpm" in texts


def test_numbers_of_many_rates_are_beside_one_another():
    kept = {"originals": np.zeros((1, 8, 8, 1), np.uint8), "reconstructions": np.zeros((1, 40, 8, 8, 1), np.uint8)}
    texts = Progressive()(kept | {"rate": np.geomspace(2e-5, 3, 40), "rmse": np.linspace(99.4, 0.652, 40)}).texts[:41]
    boxes = [text.get_window_extent() for text in texts]
    assert all(left.x1 < right.x0 for left, right in zip(boxes, boxes[1:], strict=False))


def test_rows_are_limited(progressive):
    one, three = (Progressive(images=count)(progressive).get_figheight() for count in (1, 9))
    assert one < three
    with pytest.raises(ValueError, match="images: 0"):
        Progressive(images=0)


def test_arrays_that_do_not_fit_are_named(progressive):
    with pytest.raises(UserError, match="3 rates and 4 errors do not fit together"):
        Progressive()(progressive | {"rate": np.zeros(3)})
    with pytest.raises(UserError, match=r"originals \(3, 4, 4, 3\), reconstructions \(2, 4, 4, 4, 3\)"):
        Progressive()(progressive | {"reconstructions": progressive["reconstructions"][:2]})
