"""The classifier that a data set trains for itself."""

import numpy as np
import pytest
import torch

from diffbench.base.errors import UserError
from diffbench.extractors.classifier import Classifier, train_classifier

QUICK = Classifier(steps=40, batch=32, width=8, dimensions=16)


def bars(n: int, size: int, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Images with a bright left or right half, and which it is."""
    draws = np.random.default_rng(n)
    labels = draws.integers(0, 2, n)
    images = draws.integers(0, 100, (n, size, size, channels), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[:, label * (size // 2) : (label + 1) * (size // 2)] += 120
    return images, labels


@pytest.mark.parametrize(("size", "channels"), [(8, 1), (12, 3), (32, 3)])
def test_learns_images_of_any_size(size, channels, tmp_path):
    images, labels = bars(128, size, channels)
    accuracy = QUICK.fit(images, labels, tmp_path / "c.safetensors", seed=0, held_out=bars(60, size, channels))
    assert accuracy > 0.9
    features = QUICK.network(tmp_path / "c.safetensors")(images)
    assert features["pool"].shape == (128, 16) and features["logits"].shape == (128, 2)
    np.testing.assert_allclose(np.cov(features["pool"], rowvar=False).diagonal(), 1, atol=0.02)


def test_is_a_function_of_the_seed():
    images, labels = bars(64, 8, 1)
    quick = Classifier(steps=3, batch=16, width=4, dimensions=8)
    states = [train_classifier(images, labels, seed=seed, configuration=quick)[0] for seed in (0, 0, 1)]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert not torch.equal(states[0]["head.weight"], states[2]["head.weight"])


def test_data_that_cannot_be_learnt_from_is_refused():
    images, labels = bars(64, 8, 1)
    for arguments, message in [
        ((images, None), "no labels; choose extractor 'inception'"),
        ((images[:, :, :4], labels), "wanted uint8, square"),
        ((images / 255, labels), "float64"),
        ((images[:5], labels[:5]), "5 images, 5 labels, batch = 64"),
        ((images, labels * 0), "labels 0..0"),
    ]:
        with pytest.raises(UserError, match=message):
            train_classifier(*arguments, seed=0)


def test_bad_weights_and_settings_are_refused(tmp_path):
    with pytest.raises(UserError, match="needs --weights, a file that the stage fit writes"):
        Classifier().network()
    with pytest.raises(UserError, match="no such file"):
        Classifier().weights_sha256(tmp_path / "none")
    (tmp_path / "bad").write_bytes(b"not safetensors at all")
    with pytest.raises(UserError, match="not a classifier's weights"):
        Classifier().network(tmp_path / "bad")
    for wrong in ({"steps": 0}, {"width": 6}, {"learning_rate": 0.0}):
        with pytest.raises(UserError, match=next(iter(wrong))):
            Classifier(**wrong)
