"""Moments in one pass: the same from any batches, far from 0 too, and from a mapped file."""

import numpy as np
import pytest

from diffbench.base.arrays import read_member, save_npz
from diffbench.base.errors import UserError
from diffbench.metrics import _moments
from diffbench.metrics._moments import Moments
from diffbench.metrics.fid import Fid, moments


def accumulated(x: np.ndarray, sizes: list[int]) -> tuple[np.ndarray, np.ndarray]:
    sums = Moments(x.shape[1])
    for part in np.split(x, np.cumsum(sizes)):
        sums.add(part)
    return sums.mean, sums.covariance


@pytest.mark.parametrize("offset", [0.0, 1e4])
@pytest.mark.parametrize("sizes", [[1] * 400, [7, 1, 200, 0, 3], [399], [64] * 6])
def test_batches_do_not_matter(sizes, offset, network_like):
    x = network_like(1, 400, 16, 0.1) + offset
    mean, covariance = accumulated(x, sizes)
    whole_mean, whole_covariance = accumulated(x, [])
    np.testing.assert_allclose(mean, whole_mean, rtol=1e-12)
    scale = np.sqrt(np.outer(whole_covariance.diagonal(), whole_covariance.diagonal()))
    assert np.abs(covariance - whole_covariance).max() <= 1e-9 * scale.max()
    np.testing.assert_allclose(whole_covariance, np.cov(x, rowvar=False), rtol=1e-9, atol=1e-12 * scale.max())


def test_a_large_common_offset_costs_no_digits():
    # 1e9 + (0, 1, 2, ...): by sums of squares nothing of the variance would be left.
    x = 1e9 + np.arange(10.0)[:, None]
    assert accumulated(x, [1, 2, 3])[1][0, 0] == pytest.approx(55 / 6, rel=1e-12)


def test_chunks_and_a_mapped_file_of_float32_give_the_same_fid(tmp_path, network_like, monkeypatch):
    x, y = network_like(1, 300, 16, 0.1).astype(np.float32), network_like(2, 300, 16)
    whole = Fid()({"pool": x}, {"pool": y})
    save_npz(tmp_path / "f.npz", {"pool": x})
    mapped = read_member(tmp_path / "f.npz", "pool")
    assert isinstance(mapped, np.memmap)
    monkeypatch.setattr(_moments, "CHUNK_ENTRIES", 16 * 7)
    found = Fid()({"pool": mapped}, {"pool": y})
    assert (found.value, found.low, found.high) == pytest.approx((whole.value, whole.low, whole.high), rel=1e-9)


def test_memory_does_not_grow_with_the_images(monkeypatch):
    import tracemalloc

    monkeypatch.setattr(_moments, "CHUNK_ENTRIES", 2**14)
    peaks = []
    for n in (4_000, 40_000):
        x = np.zeros((n, 32), np.float32)
        x[:, 0] = np.arange(n)
        tracemalloc.start()
        moments(x)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0] < 2**20


def test_bad_batches_are_refused():
    sums = Moments(3)
    with pytest.raises(UserError, match=r"batch of shape \(2, 4\), wanted \(images, 3\)"):
        sums.add(np.zeros((2, 4)))
    sums.add(np.zeros((1, 3)))
    with pytest.raises(UserError, match="1 images, but 2 are needed"):
        _ = sums.covariance
    with pytest.raises(UserError, match="NaN or infinity in a batch of 2 images after the first 1"):
        sums.add(np.full((2, 3), np.nan))
