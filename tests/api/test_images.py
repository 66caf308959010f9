"""What a person gives as images: bytes are taken, and all else is refused with the conversion that it needs."""

import numpy as np
import pytest
import torch
from PIL import Image

import diffbench
from diffbench.api.images import as_images
from diffbench.base.errors import UserError

RNG = np.random.default_rng(0)
BYTES = RNG.integers(0, 256, (5, 8, 8, 1), np.uint8)
UNIT = BYTES / 255


@pytest.mark.parametrize(
    "given",
    [BYTES, torch.from_numpy(BYTES), list(BYTES), tuple(BYTES), np.asfortranarray(BYTES), BYTES[::1]],
    ids=["array", "tensor", "list", "tuple", "fortran", "view"],
)
def test_bytes_are_taken_as_they_are(given):
    found = as_images(given)
    assert isinstance(found, np.ndarray) and found.flags.c_contiguous and np.array_equal(found, BYTES)


def test_a_list_of_several_sizes_stays_a_list_and_pictures_are_arrays():
    several = [np.zeros((4, 6, 3), np.uint8), np.zeros((5, 5, 3), np.uint8)]
    assert [image.shape for image in as_images(several)] == [(4, 6, 3), (5, 5, 3)]
    assert as_images([Image.new("RGB", (6, 4))] * 2).shape == (2, 4, 6, 3)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (UNIT, "images: float64 in [0, 1], wanted uint8 (image, height, width, channel); convert by (255 * images)"),
        (2 * UNIT - 1, "float64 in [-1, 1], wanted uint8 (image, height, width, channel); convert by (((images + 1)"),
        (BYTES.astype(np.float32), "images.round().clip(0, 255).astype('uint8'), if 255 is white"),
        (np.where(UNIT > 0.9, np.nan, UNIT), "values are not finite (NaN or infinite), so they are no images"),
        (np.where(UNIT > 0.9, np.inf, UNIT), "values are not finite"),
        (BYTES.astype(np.int64), "images: int64, wanted uint8"),
        (BYTES > 9, "images: bool, wanted uint8"),
        (BYTES.transpose(0, 3, 1, 2), "has its channels first; give images.transpose(0, 2, 3, 1)"),
        (BYTES[0], "shape (8, 8, 1), wanted uint8 (image, height, width, channel); a single image or grey ones"),
        (BYTES[:0], "shape (0, 8, 8, 1) holds no image"),
        (np.zeros((2, 8, 8, 2), np.uint8), "has 2 channels"),
        (np.zeros((2, 8, 8, 4), np.uint8), "has 4 channels"),
        ([], "images: an empty list"),
        ([BYTES[0], UNIT[0]], "images[1]: float64 in [0, 1]"),
        ([BYTES[0], BYTES[0, 0]], "images[1]: shape (8, 1), wanted uint8 (height, width, channel)"),
        ([BYTES[0].transpose(2, 0, 1)], "images[0]: shape (1, 8, 8) has its channels first"),
        ("pictures", "str is no array of images"),
        (None, "NoneType is no array of images"),
        (torch.from_numpy(UNIT).requires_grad_(), "images: cannot be read as an array"),
    ],
)
def test_anything_else_is_one_line_with_the_way_out(given, said):
    with pytest.raises(UserError) as caught:
        as_images(given)
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("given", [UNIT, 2 * UNIT - 1], ids=["unit", "signed"])
def test_the_conversion_that_a_message_names_gives_the_bytes_back(given):
    with pytest.raises(UserError) as caught:
        as_images(given)
    way = str(caught.value).partition("convert by ")[2]
    assert abs(as_images(eval(way, {"images": given})).astype(int) - BYTES).max() <= 1


def test_a_grid_has_every_image_at_its_place_and_white_between():
    picture = diffbench.grid(BYTES, columns=3, scale=2)
    found = np.asarray(picture)
    assert picture.size == (3 * 18 - 2, 2 * 18 - 2) and found.dtype == np.uint8
    for place, image in enumerate(BYTES[..., 0]):
        top, left = place // 3 * 18, place % 3 * 18
        assert np.array_equal(found[top : top + 16 : 2, left : left + 16 : 2], image)
    assert (found[16:18] == 255).all() and (found[18:, 36:] == 255).all(), "the last place is empty"


def test_a_grid_of_colours_enlarges_small_images_only():
    small, large = np.zeros((2, 8, 8, 3), np.uint8), np.zeros((2, 64, 64, 3), np.uint8)
    assert diffbench.grid(small).size == (98, 48) and diffbench.grid(large).size == (130, 64)
    assert np.asarray(diffbench.grid(large)).shape == (64, 130, 3)
    assert diffbench.grid(large, columns=1).size == (64, 130)


@pytest.mark.parametrize(
    ("images", "options", "said"),
    [
        ([np.zeros((4, 6, 3), np.uint8), np.zeros((5, 5, 3), np.uint8)], {}, "images: of several sizes"),
        (BYTES, {"columns": 0}, "columns: must be at least 1, not 0"),
        (BYTES, {"scale": 1.5}, "scale: 1.5 is not a whole number"),
    ],
)
def test_a_grid_that_cannot_be_is_one_line(images, options, said):
    with pytest.raises(UserError, match=said):
        diffbench.grid(images, **options)
