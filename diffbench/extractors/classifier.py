"""A classifier of the data set itself, whose features measure data that have labels and no published extractor.

It is trained once, on the training split. Its sha256 is part of the protocol id, so that scores that were measured
with another training of it are known to be not comparable.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

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

State = dict[str, Tensor]

SMALLEST, LARGEST = 8, 64
"""The fewest and most pixels across of images that it takes."""


@dataclass(frozen=True)
class Classifier:
    """Features and logits of a small convolutional network. The fields say how it is built and trained."""

    width: int = 32
    """the channels of the first convolution."""
    dimensions: int = 64
    """the dimensions of the features."""
    steps: int = 3000
    """the training steps."""
    batch: int = 64
    """the images of a training step."""
    learning_rate: float = 3e-3
    """Adam's learning rate."""
    largest_shift: int = 1
    """training moves images by up to this number of pixels."""

    features: ClassVar[tuple[str, ...]] = ("pool", "logits")
    needs_weights: ClassVar[bool] = True
    resize: ClassVar[str] = "none"
    stored_statistics: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for name in ("dimensions", "steps", "batch"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} = {getattr(self, name)}, at least 1 is allowed")
        if self.width < 4 or self.width % 4:
            raise UserError(f"width = {self.width}, multiples of 4 are allowed (channels form four groups)")
        if self.largest_shift < 0 or self.learning_rate <= 0:
            raise UserError(f"largest_shift = {self.largest_shift}, learning_rate = {self.learning_rate}: too low")

    def network(self, weights: Path | None = None, device: torch.device | str = "cpu") -> Extract:
        """Return the network with the weights of a file that `fit` wrote."""
        return running(load_classifier(self._needed(weights)), device)

    def weights_sha256(self, weights: Path | None = None) -> str:
        """Return the hash of the file of weights."""
        return sha256(self._needed(weights))

    def channels(self, weights: Path | None = None) -> int:
        """Return the number of channels that it takes: that of its training images."""
        return load_classifier(self._needed(weights)).shape["channels"]

    def fit(
        self,
        images: np.ndarray,
        labels: np.ndarray | None,
        out: Path,
        *,
        seed: int,
        held_out: tuple[np.ndarray, np.ndarray | None] | None = None,
    ) -> float | None:
        """Train on images and labels, write the weights, and return the accuracy on the held-out images.

        Raises: UserError if there are no labels, or if the images are not square and 8 to 64 pixels wide.
        """
        state, shape = train_classifier(images, labels, seed=seed, configuration=self)
        save_classifier(out, state, shape)
        if held_out is None or held_out[1] is None:
            return None
        predicted = self.network(out)(held_out[0])["logits"].argmax(axis=1)
        return float(np.mean(predicted == held_out[1]))

    def widths(self) -> Mapping[str, int]:
        """Return how many dimensions its features have."""
        return {"pool": self.dimensions}

    def require_shape(self, shape: tuple[int, int, int]) -> None:
        """Raise UserError for images that are not square or not 8 to 64 pixels wide."""
        height, width, _ = shape
        if height != width or not SMALLEST <= height <= LARGEST:
            raise UserError(
                f"classifier takes square images of {SMALLEST} to {LARGEST} pixels, and these are "
                f"{spoken_shape(shape)}; choose a protocol of Inception features, such as torch_fidelity"
            )

    def require_training(self, num_images: int, num_classes: int | None) -> None:
        """Raise UserError for images without labels, of one class, or fewer than a batch."""
        if num_classes is None:
            raise UserError(
                "classifier is trained on labels, and the data set has none; sort its pictures into a folder for each "
                "class, or choose a protocol of Inception features, such as torch_fidelity"
            )
        if num_classes < 2:
            raise UserError("classifier tells classes apart, and the data set has only one; add a second one")
        if num_images < self.batch:
            raise UserError(
                f"classifier is trained on batches of {self.batch}, and there are {num_images} training images; set "
                "'batch' of the extractor to at most that"
            )

    def _needed(self, weights: Path | None) -> Path:
        if weights is None:
            raise UserError("extractor 'classifier' needs --weights, a file that the stage fit writes (diffbench fit)")
        if not Path(weights).is_file():
            raise UserError(f"{weights}: no such file of classifier weights; the stage fit writes one (diffbench fit)")
        return Path(weights)


def train_classifier(
    images: np.ndarray,
    labels: np.ndarray | None,
    *,
    seed: int,
    configuration: Classifier | None = None,
) -> tuple[State, Mapping[str, int]]:
    """Return a trained classifier's state and its network's shape, which depend only on the arguments.

    Raises: UserError if there are no labels, or if the images are not square and 8 to 64 pixels wide.
    """
    c = configuration or Classifier()
    if labels is None:
        raise UserError("extractor 'classifier': the data set has no labels; choose extractor 'inception'")
    square = images.ndim == 4 and images.shape[1] == images.shape[2] and SMALLEST <= images.shape[1] <= LARGEST
    if images.dtype != np.uint8 or not square:
        found = f"{images.dtype}{images.shape}"
        raise UserError(f"extractor 'classifier': images {found}, wanted uint8, square, 8 to 64 pixels")
    if len(labels) != len(images) or len(images) < c.batch:
        raise UserError(
            f"extractor 'classifier': {len(images)} images, {len(labels)} labels, batch = {c.batch}; "
            "wanted a label for each image and at least one batch of them"
        )
    classes = int(labels.max()) + 1
    if classes < 2 or labels.min() < 0:
        raise UserError(
            f"extractor 'classifier': labels {labels.min()}..{labels.max()}, wanted at least classes 0 and 1"
        )
    network = ConvolutionalClassifier(
        size=images.shape[1],
        channels=images.shape[3],
        classes=classes,
        width=c.width,
        dimensions=c.dimensions,
    )
    trained(
        network,
        images,
        labels,
        seed=seed,
        steps=c.steps,
        batch=c.batch,
        learning_rate=c.learning_rate,
        largest_shift=c.largest_shift,
    )
    return network.state_dict(), network.shape
