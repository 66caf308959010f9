"""The conversion between bytes and floats in [-1, 1], for all of diffbench.

There are two published rules for floats -> bytes: guided-diffusion truncates (x + 1) 127.5, EDM rounds it. They differ
on half of all pixels (by one level), so every sample set records its rule.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from diffbench.base.arrays import Bytes

Images = Float[Tensor, "batch channel height width"]
"""Images as networks take them: floats, nominally in [-1, 1], channels first."""


def to_float(images: Bytes, device: torch.device | str = "cpu") -> Images:
    """Return bytes as floats in [-1, 1], channels first: x / 127.5 - 1 (Ho et al. 2020, section 3.3)."""
    return as_floats(channels_first(images).to(device))


def channels_first(images: Bytes) -> UInt8[Tensor, "batch channel height width"]:
    """Return a copy of bytes as a tensor with channels first."""
    # torch refuses read-only arrays such as mapped files, so a copy is needed; it also puts channels first in memory.
    return torch.as_tensor(images.transpose(0, 3, 1, 2).copy())


def as_floats(images: UInt8[Tensor, "batch channel height width"]) -> Images:
    """Return bytes with channels first as floats in [-1, 1], on their device."""
    return images.float() / 127.5 - 1


def truncated(images: Images) -> Bytes:
    """Return floats in [-1, 1] as bytes by cutting off the fraction, as guided-diffusion's image_sample.py does."""
    return _channels_last(((images + 1) * 127.5).clamp(0, 255).to(torch.uint8))


def rounded(images: Images) -> Bytes:
    """Return floats in [-1, 1] as the nearest bytes, as EDM's generate.py does."""
    return _channels_last((images * 127.5 + 128).clamp(0, 255).to(torch.uint8))


def _channels_last(images: Tensor) -> Bytes:
    return images.permute(0, 2, 3, 1).contiguous().cpu().numpy()


ROUNDINGS: dict[str, Callable[[Images], Bytes]] = {"truncate": truncated, "round": rounded}
"""The rules by the names that jobs and records use for them."""
