"""The shipped ruler: its bytes, its accuracy, its size, and that noise does not pass for a digit."""

import math
import re

import numpy as np
import pytest
import torch

from diffbench.base.errors import UserError
from diffbench.extractors import digits_features
from diffbench.extractors.digits_features import WEIGHTS, DigitsFeatures, _digits

SHA256 = "7a8108d68f6e9a7dde94b8f0c5412d58a7ca5e480f4be2093ececaaffb54d2bd"
"""A change of this line is a change of every number measured on digits."""


def probabilities(images: np.ndarray) -> np.ndarray:
    return torch.from_numpy(DigitsFeatures().network()(images)["logits"]).softmax(dim=1).numpy()


def test_the_shipped_weights_are_these_and_small():
    assert DigitsFeatures().weights_sha256() == SHA256
    assert WEIGHTS.stat().st_size < 300_000


def test_held_out_digits_are_recognised_and_with_confidence():
    _, (images, labels) = _digits()
    found = probabilities(images)
    assert (found.argmax(axis=1) == labels).mean() > 0.98
    assert (found.max(axis=1) > 0.9).mean() > 0.98


def test_the_ruler_is_fitted_at_the_rates_of_a_half_cosine(monkeypatch):
    used, step = [], torch.optim.Adam.step
    monkeypatch.setattr(
        torch.optim.Adam, "step", lambda own, *a: used.append(own.param_groups[0]["lr"]) or step(own, *a)
    )
    digits_features.train_digits_features(steps=4)
    assert used == pytest.approx([0.0015 * (1 + math.cos(math.pi * k / 4)) for k in range(4)], rel=1e-12)


def test_noise_is_not_taken_for_a_digit():
    draws = np.random.default_rng(0)
    noise = draws.integers(0, 256, (500, 8, 8, 1), dtype=np.uint8)
    assert (probabilities(noise).max(axis=1) > 0.9).mean() < 0.02


def test_features_of_the_training_images_have_mean_0_and_covariance_1():
    (images, _), _ = _digits()
    pool = DigitsFeatures().network()(images)["pool"].astype(np.float64)
    assert pool.shape == (1297, 64)
    np.testing.assert_allclose(pool.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(np.cov(pool, rowvar=False), np.eye(64), atol=1e-3)


def test_the_split_is_the_fixed_one():
    (train, _), (test, _) = _digits()
    assert (train.shape, test.shape) == ((1297, 8, 8, 1), (500, 8, 8, 1))
    assert train.dtype == np.uint8 and set(np.unique(train)) <= {round(k * 255 / 16) for k in range(17)}


def test_foreign_weights_are_refused(tmp_path):
    with pytest.raises(UserError, match="has its own weights"):
        DigitsFeatures().network(tmp_path / "other.safetensors")


def test_the_command_writes_weights_and_says_what_they_are_worth(tmp_path, capsys, monkeypatch):
    quick = digits_features.train_digits_features
    monkeypatch.setattr(digits_features, "train_digits_features", lambda: quick(steps=3))
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    try:
        for name in ("a", "b"):
            digits_features.main(["--out", str(tmp_path / name)])
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(strict)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert len(re.findall(r"test accuracy 0\.\d{4}\nsha256 [0-9a-f]{64}\n", capsys.readouterr().out)) == 2


@pytest.mark.slow
def test_retraining_gives_a_network_as_good(tmp_path, capsys):
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    try:
        digits_features.main(["--out", str(tmp_path / "again")])
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(strict)
    assert float(capsys.readouterr().out.split()[2]) > 0.98
