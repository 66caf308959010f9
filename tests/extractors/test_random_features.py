"""Statistics of random filters see what their page says, and depend on nothing else."""

import numpy as np
import pytest

from diffbench.base.errors import UserError
from diffbench.extractors.random_features import RandomFeatures
from diffbench.metrics.fid import fid


def smooth(n: int, seed: int, channels: int = 3) -> np.ndarray:
    """Return images of large blobs: 4x4 random colours, enlarged to 16x16."""
    coarse = np.random.default_rng(seed).integers(0, 256, (n, 4, 4, channels), dtype=np.uint8)
    return coarse.repeat(4, axis=1).repeat(4, axis=2)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    out = tmp_path_factory.mktemp("weights") / "filters.safetensors"
    RandomFeatures(dimensions=8).fit(smooth(100, 0), None, out, seed=0)
    return out


def test_equal_images_give_equal_weights_whatever_labels_and_seed(fitted, tmp_path):
    other = tmp_path / "other.safetensors"
    RandomFeatures(dimensions=8).fit(smooth(100, 0), np.arange(100), other, seed=5)
    assert other.read_bytes() == fitted.read_bytes()
    RandomFeatures(dimensions=8, seed=1).fit(smooth(100, 0), None, other, seed=0)
    assert other.read_bytes() != fitted.read_bytes()


def test_features_of_the_training_images_are_centred_and_uncorrelated(fitted):
    found = RandomFeatures(dimensions=8).network(fitted)(smooth(100, 0))["pool"].astype(np.float64)
    covariance = np.cov(found, rowvar=False)
    assert np.abs(found.mean(axis=0)).max() < 1e-4
    off = covariance - np.diag(np.diag(covariance))
    assert np.abs(off).max() < 1e-4 * covariance.max()
    assert np.all(np.diff(np.diag(covariance)) <= 1e-4), "the first direction varies most"
    assert abs(np.diag(covariance).mean() - 1) < 1e-4


def test_features_do_not_depend_on_the_images_around(fitted):
    extract, some = RandomFeatures(dimensions=8).network(fitted), smooth(130, 1)
    whole = extract(some)["pool"]
    assert whole.dtype == np.float32 and whole.shape == (130, 8)
    assert np.array_equal(np.concatenate([extract(some[a:b])["pool"] for a, b in ((0, 1), (1, 130))]), whole)


def test_noise_missing_variety_and_grey_are_far_from_new_images(fitted):
    extract = RandomFeatures(dimensions=8).network(fitted)
    held_out = smooth(100, 2)
    noise = np.random.default_rng(3).normal(0, 40, held_out.shape)
    sets = {
        "noise": np.clip(held_out + noise, 0, 255).astype(np.uint8),
        "few": np.repeat(held_out[:5], 20, axis=0),
        "grey": held_out.mean(axis=3, keepdims=True).repeat(3, axis=3).astype(np.uint8),
    }
    reference = extract(smooth(100, 0))["pool"]
    real = fid(extract(held_out)["pool"], reference)
    for name, images in sets.items():
        assert fid(extract(images)["pool"], reference) > 2 * real, name


def test_what_it_cannot_take_is_refused(fitted, tmp_path):
    out = tmp_path / "no.safetensors"
    with pytest.raises(UserError, match="8 dimensions needs 16 training images, and there are 15; .* at most 7"):
        RandomFeatures(dimensions=8).fit(smooth(15, 0), None, out, seed=0)
    with pytest.raises(UserError, match="at least 8 pixels"):
        RandomFeatures(dimensions=2).fit(smooth(15, 0)[:, :7, :7], None, out, seed=0)
    with pytest.raises(UserError, match="dimensions = 0"):
        RandomFeatures(dimensions=0)
    with pytest.raises(UserError, match="images of 1 channels, but the filters are for 3"):
        RandomFeatures().network(fitted)(smooth(3, 0, channels=1))
    assert not out.exists() and RandomFeatures().channels(fitted) == 3
    with pytest.raises(UserError, match="no such file of filters"):
        RandomFeatures().network(out)
    out.write_bytes(b"not tensors")
    with pytest.raises(UserError, match="not the filters of 'random_features'"):
        RandomFeatures().network(out)
