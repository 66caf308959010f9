"""Sets of images of several sizes: they are read in pieces as they were written, and refused if the sizes are wrong."""

import numpy as np
import pytest

from diffbench.base.arrays import save_npz
from diffbench.base.errors import UserError
from diffbench.stages._mixed_sizes import is_mixed, mixed_sizes, stream_mixed, write_mixed

SIZES = [(3, 5, 3), (7, 2, 3), (3, 5, 3), (1, 1, 3), (4, 4, 3)]
IMAGES = [np.random.default_rng(k).integers(0, 256, size, dtype=np.uint8) for k, size in enumerate(SIZES)]


@pytest.mark.parametrize("chunk", [1, 2, 5, 9])
def test_images_come_back_as_they_were_written(tmp_path, chunk):
    path = tmp_path / "a.npz"
    write_mixed(path, SIZES, iter(IMAGES))
    assert is_mixed(path) and mixed_sizes(path).tolist() == [list(size) for size in SIZES]
    pieces = list(stream_mixed(path, chunk))
    assert [len(piece) for piece in pieces] == [min(chunk, 5 - start) for start in range(0, 5, chunk)]
    for found, image in zip((image for piece in pieces for image in piece), IMAGES, strict=True):
        assert np.array_equal(found, image)


PIXELS = np.concatenate([image.reshape(-1) for image in IMAGES])


@pytest.mark.parametrize(
    ("sizes", "pixels"),
    [
        (np.array(SIZES[:4]), PIXELS),
        (np.array([*SIZES[:4], (-4, -4, 3)]), PIXELS),
        (np.array([(2**40, 2**40, 3)]), PIXELS),
        (np.array(SIZES, np.int32), PIXELS),
        (np.array(SIZES)[:, :2], PIXELS),
        (np.array(SIZES), PIXELS.astype(np.int64)),
        (np.ones((10**6, 3), np.int64), PIXELS),
    ],
)
def test_sizes_that_are_not_those_of_the_pixels_are_one_line(tmp_path, sizes, pixels):
    save_npz(tmp_path / "a.npz", {"sizes": sizes, "pixels": pixels})
    with pytest.raises(UserError, match=r"a\.npz: .*make it again"):
        list(stream_mixed(tmp_path / "a.npz", 2))


def test_one_flipped_bit_is_found(tmp_path):
    write_mixed(tmp_path / "a.npz", SIZES, IMAGES)
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[content.index(PIXELS.tobytes()) + 50] ^= 1
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(UserError, match="damaged"):
        list(stream_mixed(tmp_path / "a.npz", 2))
