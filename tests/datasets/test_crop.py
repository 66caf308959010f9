"""ADM's crops to the pixel: hashes of what guided-diffusion's own functions returned for scikit-learn's photographs."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from diffbench.datasets._crop import boxed, halved_then_bicubic

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


def short_hash(image: Image.Image) -> str:
    return hashlib.sha256(np.asarray(image).tobytes()).hexdigest()[:16]


@pytest.fixture(scope="module")
def photographs():
    from sklearn.datasets import load_sample_images

    return load_sample_images().images


@pytest.mark.parametrize("case", PUBLISHED, ids=str)
def test_is_the_published_crop(photographs, case):
    number, turned, size = case
    photograph = photographs[number]
    if turned:
        photograph = np.ascontiguousarray(photograph.transpose(1, 0, 2)[:, :300])
    image = Image.fromarray(photograph)
    assert (short_hash(halved_then_bicubic(image, size)), short_hash(boxed(image, size))) == PUBLISHED[case]


@pytest.mark.parametrize("crop", [halved_then_bicubic, boxed])
@pytest.mark.parametrize("shape", [(8, 8), (9, 40), (33, 7), (3, 5)])
def test_any_picture_becomes_a_square(crop, shape):
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    assert crop(Image.fromarray(pixels), 8).size == (8, 8)
    if shape == (8, 8):
        assert np.array_equal(np.asarray(crop(Image.fromarray(pixels), 8)), pixels)
