"""ADM's crops to the pixel: hashes of what guided-diffusion's own functions returned for scikit-learn's photographs."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from diffbench.datasets._crop import at_random, boxed, halved_then_bicubic

# (photograph, turned upright and narrowed, size): center_crop_arr's and lsun_bedroom.py's pixels, under Pillow 13.0.
PUBLISHED = {
    (0, False, 64): ("05fb674129b4c011", "e07d3ed216d1be03"),
    (0, False, 100): ("f1478e544ddf395c", "e2fe432ae15589a2"),
    (0, False, 256): ("f8f47bc27acb42c0", "11ae12f45304f217"),
    (0, True, 64): ("39c94bc5717b574c", "8fb748023833d29f"),
    (0, True, 100): ("44fc54160a2ff002", "75d56934b690055b"),
    (0, True, 256): ("d3b0e5bef25fe270", "475875575f8692ff"),
    (1, False, 64): ("a5b40c512ac740f6", "cb38811c9a1574be"),
    (1, False, 100): ("1516a69e1e5dc935", "b0619eb9613e704d"),
    (1, False, 256): ("b9fde48454457afc", "6179724927c61fc8"),
    (1, True, 64): ("effdf9bb7022de89", "583bfe8478f71fc7"),
    (1, True, 100): ("7cb5e8958038b1cc", "e01c78553cb2fc65"),
    (1, True, 256): ("5cf957a41f545811", "fe6219efead3b913"),
}

# The same photographs by random_crop_arr, its random numbers replaced by the draws of RANDOM.
PUBLISHED_AT_RANDOM = {
    (0, False, 64): "6493bd52ba153655",
    (0, False, 128): "e9860c4c8a0412b4",
    (0, False, 256): "daea0460dce69dc2",
    (0, True, 64): "68c1cbf3e68f0106",
    (0, True, 128): "1a8be20cf98718b2",
    (0, True, 256): "a7eb3e97d78afaa9",
    (1, False, 64): "cce8d4ae9cafd900",
    (1, False, 128): "fbeb1224f8e8b67e",
    (1, False, 256): "7f64e88bc9c4375d",
    (1, True, 64): "b1d5aa3c167adeba",
    (1, True, 128): "2010bb90f8a91977",
    (1, True, 256): "9477acbcd10262a6",
}
RANDOM = {64: (0.1, 0.2, 0.9), 128: (0.99, 0.7, 0.3), 256: (0.5, 0.999, 0.0)}


def short_hash(image: Image.Image) -> str:
    return hashlib.sha256(np.asarray(image).tobytes()).hexdigest()[:16]


@pytest.fixture(scope="module")
def photographs():
    from sklearn.datasets import load_sample_images

    return load_sample_images().images


def opened(photograph, turned):
    return Image.fromarray(np.ascontiguousarray(photograph.transpose(1, 0, 2)[:, :300]) if turned else photograph)


@pytest.mark.parametrize("case", PUBLISHED_AT_RANDOM, ids=str)
def test_is_the_published_random_crop(photographs, case):
    number, turned, size = case
    image = opened(photographs[number], turned)
    assert short_hash(at_random(image, size, RANDOM[size])) == PUBLISHED_AT_RANDOM[case]


def test_a_random_crop_is_any_window_at_any_scale_and_nothing_else():
    # A ramp of one grey a column and row tells where a crop begins; at the scale of 1 nothing is resampled.
    ramp = Image.fromarray(np.add.outer(np.arange(8) * 20, np.arange(11)).astype(np.uint8))
    grid = (np.arange(40) + 0.5) / 40
    corners = {np.asarray(at_random(ramp, 8, (0.0, down, across)))[0, 0] for down in grid for across in grid}
    assert corners == {0, 1, 2, 3}
    last = np.nextafter(1.0, 0.0)
    sizes = {at_random(ramp, 8, (scale, last, last)).size for scale in grid}
    assert sizes == {(8, 8)}
    # The smaller side becomes 8, 9 or 10 pixels: of the last window's corner, three different greys.
    assert len({np.asarray(at_random(ramp, 8, (scale, last, last)))[0, 0] for scale in grid}) == 3


@pytest.mark.parametrize("case", PUBLISHED, ids=str)
def test_is_the_published_crop(photographs, case):
    number, turned, size = case
    image = opened(photographs[number], turned)
    assert (short_hash(halved_then_bicubic(image, size)), short_hash(boxed(image, size))) == PUBLISHED[case]


@pytest.mark.parametrize("crop", [halved_then_bicubic, boxed])
@pytest.mark.parametrize("shape", [(8, 8), (9, 40), (33, 7), (3, 5)])
def test_any_picture_becomes_a_square(crop, shape):
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    assert crop(Image.fromarray(pixels), 8).size == (8, 8)
    if shape == (8, 8):
        assert np.array_equal(np.asarray(crop(Image.fromarray(pixels), 8)), pixels)
