"""What every extractor must keep, for each file in the folder whose weights are at hand or quickly made."""

import numpy as np
import pytest

from diffbench.base import plugins
from diffbench.base.errors import UserError
from diffbench.commands.contract import extractor as contract
from diffbench.extractors.classifier import Classifier
from diffbench.extractors.digits_features import DigitsFeatures
from diffbench.extractors.random_features import RandomFeatures

NAMES = plugins.names("extractors")


def images(n: int, size: int = 8, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(n).integers(0, 256, (n, size, size, channels), dtype=np.uint8)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    out = tmp_path_factory.mktemp("weights") / "classifier.safetensors"
    Classifier(steps=2, batch=8, width=4, dimensions=8).fit(images(20), np.arange(20) % 3, out, seed=0)
    return out


HERE = {
    "digits_features": DigitsFeatures(),
    "classifier": Classifier(steps=2, batch=8, width=4, dimensions=8),
    "random_features": RandomFeatures(dimensions=8),
}
"""Extractors whose weights are at hand or quickly made."""


@pytest.mark.parametrize("name", NAMES)
def test_declares_itself(name):
    part = plugins.load("extractors", name)
    contract.declarations(part())
    assert plugins.configure(part, {}, name) == part()


@pytest.mark.parametrize("name", HERE)
def test_keeps_the_contract(name):
    for check in contract.checks(HERE[name]):
        check(HERE[name])


@pytest.mark.parametrize("part", [DigitsFeatures(), Classifier(dimensions=8)], ids=["digits_features", "classifier"])
def test_the_declared_widths_and_shapes_are_those_of_the_network(part, fitted):
    found = part.network(fitted if part.needs_weights else None)(images(3))
    declared = part.widths()
    assert declared and {name: found[name].shape[1] for name in declared} == declared
    part.require_shape((8, 8, 1))
    with pytest.raises(UserError, match=f"{'grey images of 8x8' if not part.needs_weights else '8 to 64 pixels'}"):
        part.require_shape((7, 7, 1))
    assert part.absent() is None


@pytest.mark.parametrize("part", [DigitsFeatures(), Classifier()], ids=["digits_features", "classifier"])
def test_other_images_are_refused(part, fitted):
    network = part.network(fitted if part.needs_weights else None)
    with pytest.raises(UserError, match=r"\(9, 9, 1\), but the classifier was trained on \(8, 8, 1\)"):
        network(images(3, size=9))
    with pytest.raises(UserError, match="float64"):
        network(images(3) / 255)
    with pytest.raises(UserError, match="n > 0"):
        network(images(3)[:0])
