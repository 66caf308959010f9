"""Checks of an extractor: the features that it names, their independence of the batch, and its weights' hash."""

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from diffbench.base.errors import UserError
from diffbench.commands.contract.check import (
    BrokenError,
    Check,
    NotJudgedError,
    require,
    require_declared,
    require_frozen,
)
from diffbench.extractors._contract import Extractor

SHAPES = ((8, 8, 1), (28, 28, 1), (32, 32, 3), (64, 64, 3))
"""Images that an extractor may take; the first that it accepts is used."""

NUM_IMAGES, CLASSES = 130, 3


def checks(extractor: Extractor) -> Sequence[Check]:
    """Return the checks of every extractor."""
    return declarations, features


def declarations(extractor: Extractor) -> None:
    """It is a frozen dataclass that names its features and says whether it needs weights."""
    require_frozen(extractor)
    require_declared(extractor, features=tuple, needs_weights=bool, resize=str, stored_statistics=bool, any_size=bool)
    names = extractor.features
    require(names and all(isinstance(name, str) for name in names), f"features = {names!r}; name them, as ('pool',)")


def features(extractor: Extractor) -> None:
    """It returns the features that it names, float32, a row an image, whatever the batch, and hashes its weights."""
    if (absent := extractor.absent()) is not None:
        raise NotJudgedError(f"its weights are not here yet ({absent})")
    images = drawn(extractor)
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "weights.safetensors" if extractor.needs_weights else None
        if weights is not None:
            extractor.fit(images, np.arange(NUM_IMAGES) % CLASSES, weights, seed=0)
        network = extractor.network(weights, "cpu")
        whole = network(images)
        require(set(whole) == set(extractor.features), f"returns {sorted(whole)}, and features = {extractor.features}")
        pieces = [network(images[a:b]) for a, b in ((0, 1), (1, 64), (64, NUM_IMAGES))]
        for name, values in whole.items():
            found = f"'{name}' is {values.dtype}{values.shape}"
            require(
                values.dtype == np.float32 and values.ndim == 2,
                f"{found}; float32 of shape (images, features) is wanted",
            )
            require(len(values) == NUM_IMAGES, f"{found} for {NUM_IMAGES} images")
            same = np.array_equal(np.concatenate([piece[name] for piece in pieces]), values)
            require(same, f"'{name}' depends on the batch; run the network on micro-batches of one size, in eval mode")
            width = extractor.widths().get(name, values.shape[1])
            require(width == values.shape[1], f"widths says {width} for '{name}', and it has {values.shape[1]}")
        sha256 = extractor.weights_sha256(weights)
        require(
            bool(re.fullmatch("[0-9a-f]{64}", sha256)),
            f"weights_sha256 returns {sha256!r}; 64 hexadecimal digits are wanted",
        )


def drawn(extractor: Extractor) -> np.ndarray:
    """Return random images of the first shape that an extractor accepts. Raises: BrokenError if it accepts none."""
    for shape in SHAPES:
        try:
            extractor.require_shape(shape)
        except UserError:
            continue
        return np.random.default_rng(0).integers(0, 256, (NUM_IMAGES, *shape), dtype=np.uint8)
    raise BrokenError(f"require_shape refuses all of {SHAPES}")
