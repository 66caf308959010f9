"""Networks whose kernels torch.compile makes, where a job's numerics ask for them.

A compiled network gives other bits than the same network without a compiler, so there is no falling back: a machine
that cannot compile refuses the job in one line. Shapes are fixed, because every stage gives its network micro-batches
of one size; another shape is compiled once more.
"""

import os
from functools import cache
from pathlib import Path

import torch
from torch import nn

from diffbench.base.errors import UserError

KERNELS = Path(".cache", "kernels")
"""The folder of compiled kernels, which all jobs of a working directory share."""


def compiled(network: nn.Module, device: torch.device | str) -> nn.Module:
    """Return the network itself, which from now on compiles its forward pass, and its gradient, when it is called.

    The names of its parameters stay the same. Raises: UserError if this machine cannot compile for the device.
    """
    require_compiler(torch.device(device).type)
    network.compile(dynamic=False)  # pyright: ignore[reportUnknownMemberType]
    return network


@cache
def require_compiler(kind: str) -> None:
    """Raise UserError if a small function cannot be compiled for a kind of device. kind: "cpu" or "cuda"."""
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(KERNELS.absolute()))
    x = torch.arange(8.0, device=kind)
    try:
        torch.compile(_example, dynamic=False)(x)
    except Exception as error:
        reason = str(error).strip().partition("\n")[0]
        raise UserError(
            f"numerics.compiled: torch.compile does not work here ({reason}); install a C++ compiler, and Triton for "
            "a GPU, or leave compiled out"
        ) from error


def _example(x: torch.Tensor) -> torch.Tensor:
    return x * 2 + 1
