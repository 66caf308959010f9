"""Networks on micro-batches of one size: float results depend on a batch's shape, so that shape never varies."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from diffbench.base.arrays import Bytes
from diffbench.base.errors import UserError
from diffbench.extractors._contract import Extract, Images

Features = dict[str, Float[Tensor, "batch features"]]

MICRO_BATCH = 64


@dataclass(frozen=True)
class MicroBatched:
    """An extractor's callable. module: the network that it calls, whose layout can be changed; None if not known."""

    extract: Extract
    module: nn.Module | None = None

    def __call__(self, images: Images) -> dict[str, np.ndarray]:
        return self.extract(images)


def in_micro_batches(
    forward: Callable[[Bytes], Features] | Callable[[Images], Features],
    size: int = MICRO_BATCH,
    *,
    any_size: bool = False,
    module: nn.Module | None = None,
) -> MicroBatched:
    """Return `forward` as a function of any number of images; `forward` itself sees exactly `size` at a time.

    The last micro-batch is padded with repetitions of its last image, and the features of the padding are dropped.
    any_size: whether `forward` takes lists of images, each of its own size. module: the network that it calls.
    Raises (when called): UserError if the images are not uint8 (n, height, width, channels), or if there are none.
    """
    # A list reaches only a function that takes lists: `_require_images` refuses it for the others.
    features_of = cast(Callable[[Images], Features], forward)

    @torch.no_grad()
    def extract(images: Images) -> dict[str, np.ndarray]:
        _require_images(images, any_size)
        pieces: dict[str, list[np.ndarray]] = {}
        for start in range(0, len(images), size):
            batch = images[start : start + size]
            padded = [*batch, *[batch[-1]] * (size - len(batch))]
            found = features_of(padded if isinstance(images, list) else np.stack(padded))
            for name, values in found.items():
                pieces.setdefault(name, []).append(values[: len(batch)].float().cpu().numpy())
        return {name: np.concatenate(parts) for name, parts in pieces.items()}

    return MicroBatched(extract, module)


def _require_images(images: Images, any_size: bool) -> None:
    if isinstance(images, list) and not any_size:
        raise UserError("images: of several sizes, which this extractor does not resize one by one")
    for piece in images if isinstance(images, list) else [images]:
        whole = piece[None] if isinstance(images, list) else piece
        if whole.dtype != np.uint8 or whole.ndim != 4 or not len(images):
            raise UserError(f"images: {whole.dtype}{whole.shape}, wanted uint8 (n > 0, height, width, channels)")


def rgb(images: Images) -> Images:
    """Return images with three channels; a grey image is repeated in three equal ones.

    Raises: UserError for another number of channels.
    """
    if isinstance(images, list):
        return [rgb(image[None])[0] for image in images]
    if images.shape[3] not in (1, 3):
        raise UserError(f"images: {images.shape[3]} channels, this extractor takes 1 or 3")
    return np.broadcast_to(images, (*images.shape[:3], 3))
