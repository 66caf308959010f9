"""What an extractor must have, and what it may declare."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
from jaxtyping import UInt8

from diffbench.base.arrays import Bytes

Images = Bytes | list[UInt8[np.ndarray, "height width channel"]]
"""Images of one size, or a list of images of several sizes."""

Extract = Callable[[Images], dict[str, np.ndarray]]
"""From images to features by name; it takes a list too if the extractor says `any_size`.

It may have the network that it calls as an attribute `module`, whose layout a benchmark can then change."""


class Extractor(Protocol):
    """A frozen dataclass that turns bytes into named features; its fields are its configuration.

    It need not inherit from this class: the loader adds the defaults given here. What depends on its options
    may be a property.
    """

    features: ClassVar[tuple[str, ...]]
    """Names of what it returns, such as ("pool", "logits")."""
    needs_weights: ClassVar[bool]
    """Whether the job must give it a file of weights, which the stage `fit` writes by its `fit`."""

    path: str | None = None
    """The user's own file of weights, as a field; the job also gives it."""
    resize: ClassVar[str] = "none"
    """How bytes become what the network sees; it is part of a protocol's id."""
    stored_statistics: ClassVar[bool] = False
    """Whether the means and covariances that ADM's reference batches store are of these features."""
    micro_batch: int | None = None
    """How many images its network takes at once, as a field; progress is then shown after each of these."""
    any_size: ClassVar[bool] = False
    """Whether it resizes each image separately; then it also takes a list of images of several sizes."""

    def widths(self) -> Mapping[str, int]:
        """Return how many dimensions its features have, by name, as far as that is known without weights."""
        return {}

    def require_shape(self, shape: tuple[int, int, int], /) -> None:
        """Raise UserError for images of a shape (height, width, channels) that it does not take."""

    def require_training(self, num_images: int, num_classes: int | None, /) -> None:
        """Raise UserError if it cannot be trained on so many images of so many classes (None: without labels).

        This is called only for an extractor that needs weights.
        """

    def absent(self) -> Path | None:
        """Return the file of weights that its first use downloads; None if there is nothing to download."""
        return None

    def channels(self, weights: Path | None = None, /) -> int | None:
        """Return how many channels it takes; None if it takes both grey and colour."""
        return None

    def fit(
        self,
        images: Bytes,
        labels: np.ndarray | None,
        out: Path,
        /,
        *,
        seed: int,
        held_out: tuple[Bytes, np.ndarray | None] | None = None,
    ) -> float | None:
        """Write weights that were trained on images and labels, and return the accuracy on the held-out ones.

        This is called only for an extractor that needs weights.
        """
        raise NotImplementedError

    @abstractmethod
    def network(self, weights: Path | None = None, device: Any = "cpu", /) -> Extract:
        """Return the function from images to features, float32 arrays of one row an image, on a device."""
        ...

    @abstractmethod
    def weights_sha256(self, weights: Path | None = None, /) -> str:
        """Return a part of the protocol's id: features compare only under equal weights."""
        ...


CONTRACT = Extractor
