"""The fixed extractor of the digits benchmark: a small network for 8x8 grey digits. Its weights ship with the package.

Every machine measures with the same weights, so that numbers can be compared across machines and years. This command
made them, and can make them again:

    python -m diffbench.extractors.digits_features --out PATH

It trains on scikit-learn's digits without the held-out 500, and prints test accuracy and sha256. The last bits of a
training run vary between processors and versions of libraries. So benchmarks use the shipped file, not the result of
another training.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import torch

from diffbench.base.digests import sha256
from diffbench.base.errors import UserError
from diffbench.base.sizes import spoken_shape
from diffbench.extractors._contract import Extract
from diffbench.extractors._convolutional import (
    ConvolutionalClassifier,
    load_classifier,
    running,
    save_classifier,
    trained,
)

WEIGHTS = Path(__file__).with_name("digits_features.safetensors")

SHAPE = (8, 8, 1)
"""Height, width and channels of the images that it takes."""

Split = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class DigitsFeatures:
    """64 features and 10 logits of 8x8 grey images."""

    features: ClassVar[tuple[str, ...]] = ("pool", "logits")
    needs_weights: ClassVar[bool] = False
    resize: ClassVar[str] = "none"
    stored_statistics: ClassVar[bool] = False

    def network(self, weights: Path | None = None, device: torch.device | str = "cpu") -> Extract:
        """Return the network with the weights that ship. A file of other weights is an error."""
        self._refuse(weights)
        return running(load_classifier(WEIGHTS), device)

    def weights_sha256(self, weights: Path | None = None) -> str:
        """Return the hash of the weights that ship."""
        self._refuse(weights)
        return sha256(WEIGHTS)

    def channels(self, weights: Path | None = None) -> int:
        """Return the number of channels that it takes: digits are grey."""
        self._refuse(weights)
        return 1

    def widths(self) -> Mapping[str, int]:
        """Return how many dimensions its features have."""
        return {"pool": 64, "logits": 10}

    def require_shape(self, shape: tuple[int, int, int]) -> None:
        """Raise UserError for images of another shape than the digits'."""
        if shape != SHAPE:
            raise UserError(
                f"digits_features takes grey images of 8x8, and these are {spoken_shape(shape)}; choose extractor "
                "classifier (images of 8 to 64 pixels, with labels) or a protocol of Inception features"
            )

    def _refuse(self, weights: Path | None) -> None:
        if weights is not None:
            raise UserError(
                f"digits_features has its own weights; leave out --weights {weights}, or give a classifier that a "
                "benchmark trained by diffbench measure --extractor"
            )


def _digits() -> tuple[Split, Split]:
    """Return (train, test) of scikit-learn's digits by the project's fixed rule, as bytes."""
    from sklearn.datasets import load_digits

    data = cast(Any, load_digits())  # annotated as a tuple too, which it is only where that is asked for
    images = np.round(data.images * 255 / 16).astype(np.uint8)[..., None]
    order = np.random.Generator(np.random.PCG64(0)).permutation(len(images))
    test, train = order[:500], order[500:]
    return (images[train], data.target[train]), (images[test], data.target[test])


def train_digits_features(seed: int = 0, steps: int = 3000) -> ConvolutionalClassifier:
    """Return the network trained on the training split. On one machine and thread count it has the same bits."""
    (images, labels), _ = _digits()
    network = ConvolutionalClassifier(size=8, channels=1, classes=10, width=32, dimensions=64)
    return trained(network, images, labels, seed=seed, steps=steps, batch=64, learning_rate=3e-3, largest_shift=1)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train the network again, write its weights, and print its accuracy and hash."""
    parser = argparse.ArgumentParser(description="Retrain the feature extractor of the digits benchmark.")
    parser.add_argument("--out", required=True, type=Path, metavar="PATH", help="where to write the weights")
    out = parser.parse_args(arguments).out
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    network = train_digits_features()
    save_classifier(out, network.state_dict(), network.shape)
    _, (images, labels) = _digits()
    logits = running(network, "cpu")(images)["logits"]
    print(f"test accuracy {np.mean(logits.argmax(axis=1) == labels):.4f}")
    print(f"sha256 {sha256(out)}")


if __name__ == "__main__":
    main()
