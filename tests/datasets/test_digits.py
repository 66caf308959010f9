"""The embedded digits: levels, split and order never change, or measured numbers could not be compared."""

import hashlib

import numpy as np
from sklearn.datasets import load_digits

from diffbench.datasets.digits import Digits


def test_split_is_fixed():
    train, test = Digits().open("train"), Digits().open("test")
    assert (train.num_images, test.num_images, test.shape) == (1297, 500, (8, 8, 1))
    order = np.random.Generator(np.random.PCG64(0)).permutation(1797)
    np.testing.assert_array_equal(test.labels, load_digits().target[order[:500]])
    np.testing.assert_array_equal(train.labels, load_digits().target[order[500:]])


def test_pixels_are_the_seventeen_levels_and_pinned():
    pixels = np.concatenate([*Digits().open("test").chunks, *Digits().open("train").chunks])
    assert np.unique(pixels).tolist() == [round(level * 255 / 16) for level in range(17)]
    # Printed by this test's own first run; a change of scikit-learn's data would show here.
    assert hashlib.sha256(pixels[:500]).hexdigest()[:16] == "d57dec5bfb94cc2b"
