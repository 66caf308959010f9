"""Floating-point operations of a network, counted on zeros of one image; a multiply-add is two."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

Shape = tuple[int, int, int]
"""Channel, height and width of an image."""

Place = torch.device | str
"""Where the network is; on the meta device nothing is computed."""


def flops_per_row(
    network: Callable[..., Tensor],
    shape: Shape,
    *,
    conditional: bool,
    low_shape: Shape | None = None,
    device: Place = "cpu",
) -> int:
    """Return the operations of one evaluation of a model's network for one image.

    conditional: whether it is given a label. low_shape: of the low-resolution image that an upsampler is given.
    """
    y = torch.zeros(1, dtype=torch.int64, device=device) if conditional else None
    low_res = None if low_shape is None else torch.zeros(1, *low_shape, device=device)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, *shape, device=device), torch.zeros(1, device=device), y, low_res)
    return counter.get_total_flops()


def classifier_flops_per_row(
    network: Callable[..., Tensor], shape: Shape, *, with_gradient: bool, device: Place = "cpu"
) -> int:
    """Return the operations of a noisy classifier for one image; with_gradient: also of the way back to the image."""
    with FlopCounterMode(display=False) as counter, torch.enable_grad():
        # Not a leaf, whose gradient the counter's hooks could not follow.
        x = torch.zeros(1, *shape, device=device, requires_grad=True) + 0
        logits = network(x, torch.zeros(1, device=device))
        if with_gradient:
            torch.autograd.grad(logits.sum(), x)
    return counter.get_total_flops()
