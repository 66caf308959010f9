"""Weights that the processes of a job share (FSDP2), and their conversion to whole tensors and back.

Checkpoints and weights hold whole tensors, so that they do not depend on the number of processes.
"""

import warnings
from typing import Any

import torch
from torch import Tensor, nn

from diffbench.base.world import World


def shard(network: nn.Module, world: World, device: torch.device) -> None:
    """Share a network's parameters among the processes.

    The elements of the network's lists of blocks are gathered one at a time when they compute; all other parameters are
    gathered together.
    """
    # Only a training whose weights are shared waits for these imports.
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    # It warns of blocks that return a view, because the network must not change it in place; ours change nothing so.
    warnings.filterwarnings("ignore", "FSDP2-wrapped module .* returned a view tensor")
    mesh = init_device_mesh(device.type, (world.size,))
    for held in network.children():
        if isinstance(held, nn.ModuleList):
            for block in held:
                fully_shard(block, mesh=mesh)
    fully_shard(network, mesh=mesh)


def local(tensor: Tensor) -> Tensor:
    """Return the part of a tensor that this process holds; all of it if it is not shared."""
    return tensor.to_local() if is_shared(tensor) else tensor  # pyright: ignore[reportAttributeAccessIssue]


def is_shared(value: Any) -> bool:
    """Return whether a value is a tensor (a DTensor) of which each process holds a part."""
    return isinstance(value, Tensor) and hasattr(value, "to_local")


def whole(value: Any, *, keep: bool = True) -> Any:
    """Return a value, such as a state, with whole tensors in place of shared ones; every process must call this.

    keep: whether this process wants them. The others only give theirs, and get None instead of each.
    """
    if is_shared(value):
        found = value.full_tensor()
        return found.cpu() if keep else None
    if isinstance(value, dict):
        return {name: whole(held, keep=keep) for name, held in value.items()}
    if isinstance(value, list):
        return [whole(held, keep=keep) for held in value]
    return value


def like(held: Tensor, found: Tensor) -> Tensor:
    """Return a whole tensor, shared in the same way as another one of its shape."""
    if not is_shared(held):
        return found
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(found.to(held.device), held.device_mesh, held.placements)  # pyright: ignore[reportAttributeAccessIssue]
