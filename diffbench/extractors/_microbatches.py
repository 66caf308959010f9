"""Running a network on micro-batches of one size: float results depend on a batch's shape, so the shape never
varies."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from diffbench.base.arrays import Bytes
from diffbench.base.errors import UserError

Extract = Callable[[Bytes], dict[str, np.ndarray]]
"""What `network` of an extractor returns."""

MICRO_BATCH = 64


def in_micro_batches(
    forward: Callable[[Bytes], dict[str, Float[Tensor, "batch features"]]], size: int = MICRO_BATCH
) -> Extract:
    """Return `forward` as a function of any number of images, which sees exactly `size` at a time.

    The last micro-batch is padded with repetitions of its last image, and the padding's features are dropped.
    Raises (when called): UserError for images that are not uint8 (n, height, width, channels) or are none.
    """

    @torch.no_grad()
    def extract(images: np.ndarray) -> dict[str, np.ndarray]:
        if images.dtype != np.uint8 or images.ndim != 4 or len(images) == 0:
            raise UserError(f"images: {images.dtype}{images.shape}, wanted uint8 (n > 0, height, width, channels)")
        pieces: dict[str, list[np.ndarray]] = {}
        for start in range(0, len(images), size):
            batch = images[start : start + size]
            padding = np.repeat(batch[-1:], size - len(batch), axis=0)
            found = forward(np.concatenate([batch, padding]))
            for name, values in found.items():
                pieces.setdefault(name, []).append(values[: len(batch)].float().cpu().numpy())
        return {name: np.concatenate(parts) for name, parts in pieces.items()}

    return extract


def rgb(images: Bytes) -> Bytes:
    """Return images with three channels; a grey one is shown in three equal ones.

    Raises: UserError for another number of channels.
    """
    if images.shape[3] not in (1, 3):
        raise UserError(f"images: {images.shape[3]} channels, this extractor takes 1 or 3")
    return np.broadcast_to(images, (*images.shape[:3], 3))
