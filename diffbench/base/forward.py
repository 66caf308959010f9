"""The forward pass of a network as a job's numerics say: the one place where a precision begins and ends.

Under bf16, the layers of the network compute in bfloat16 (torch.autocast) from weights that stay in float32. Its
output is float32 again, so losses, guidance, samplers and averages never see another type.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from diffbench.base.compiling import compiled
from diffbench.base.numerics import Numerics

Forward = Callable[..., Tensor]
"""The forward pass of a network: the same arguments, and a float32 output."""


def placed(network: nn.Module, numerics: Numerics, device: torch.device | str) -> nn.Module:
    """Return a network whose weights are on a device, in the layout of its feature maps, and compiled if asked for.

    Raises: UserError if this machine cannot compile.
    """
    network.to(device)
    if numerics.channels_last:
        # Feature maps follow the weights, so no input needs a conversion.
        network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    return compiled(network, device) if numerics.compiled else network


def forward_of(network: nn.Module, numerics: Numerics) -> Forward:
    """Return the forward pass of a network in a precision. In float32 and tf32 it is the network itself."""
    if numerics.precision != "bf16":
        return network

    def forward(x: Tensor, *others: Tensor | None) -> Tensor:
        with precision(numerics, x.device):
            return network(x, *others).float()

    return forward


def precision(numerics: Numerics, device: torch.device) -> AbstractContextManager[object]:
    """Return a context in which layers compute in bfloat16 if numerics say so."""
    if numerics.precision != "bf16":
        return nullcontext()
    return torch.autocast(device.type, torch.bfloat16)
