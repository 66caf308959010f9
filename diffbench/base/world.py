"""The processes of one job, as torchrun starts them: which of them this one is, and what they tell each other.

torchrun sets RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT. Without them a job is a world of one, which
never touches torch.distributed. On the CPU the processes talk through gloo, on CUDA devices through NCCL.
"""

# torch does not annotate what its collectives take and return.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from diffbench.base.errors import UserError
from diffbench.base.locks import exclusive

T = TypeVar("T")

NAMES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
"""The variables that torchrun sets."""

PATIENCE = timedelta(days=7)
"""How long a process waits for the others. Their work may differ by hours, and torchrun ends all if one dies."""

SPOKEN = "diffbench/spoken"
"""The key of the processes' store under which those are counted that report why they end."""


class LostError(Exception):
    """Another process of the job is gone, so that this one cannot go on."""


@dataclass(frozen=True)
class World:
    """The processes of a job. rank: the number of this one, from 0. size: how many there are.

    local_rank: the number of this one among those on its machine. It chooses the CUDA device.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def leads(self) -> bool:
        """Whether this process is the one that writes artifacts and records."""
        return self.rank == 0

    @property
    def device_number(self) -> int | None:
        """The number of the CUDA device of this process; None for a process alone, which uses the default one."""
        return None if self.size == 1 else self.local_rank

    def share(self, items: Sequence[T]) -> Sequence[T]:
        """Return every size-th of some pieces of work, beginning with this process's number."""
        return items[self.rank :: self.size]

    def barrier(self) -> None:
        """Wait until all processes are here. Raises: LostError."""
        if self.size > 1:
            self.gathered(None)

    def total(self, tensor: Tensor) -> Tensor:
        """Return a tensor, now with the sum of all processes' values, which is the same in each. Raises: LostError."""
        if self.size > 1:
            with _together():
                torch.distributed.all_reduce(tensor)
        return tensor

    def told(self, value: T) -> T:
        """Return the value that the first process has. Raises: LostError."""
        if self.size == 1:
            return value
        held = [value]
        with _together():
            torch.distributed.broadcast_object_list(held, device=torch.device("cpu"))
        return held[0]

    def gathered(self, value: T) -> list[T]:
        """Return the values of all processes in their order. Raises: LostError."""
        if self.size == 1:
            return [value]
        held: list[T] = [value] * self.size
        with _together():
            torch.distributed.all_gather_object(held, value)
        return held

    def passed_on(self, own: Sequence[Tensor], total: Tensor) -> None:
        """Add this process's tensors, one after another, to the sum of the processes before it, and send that on.

        own: tensors of one shape. total: where the sum up to this process is written. Raises: LostError.
        """
        with _together():
            if self.rank:
                torch.distributed.recv(total, self.rank - 1)
                total.add_(own[0])
            else:
                total.copy_(own[0])
            for tensor in own[1:]:
                total.add_(tensor)
            if self.rank < self.size - 1:
                torch.distributed.send(total, self.rank + 1)

    def told_by_last(self, tensor: Tensor) -> None:
        """Give a tensor the values that it has in the last process. Raises: LostError."""
        if self.size > 1:
            with _together():
                torch.distributed.broadcast(tensor, self.size - 1)


ALONE = World()
"""The world of a job that is one process."""


@contextmanager
def _together() -> Generator[None]:
    """Raise LostError for an error of a collective: the processes of a job fail together, or one of them is gone."""
    try:
        yield
    except RuntimeError as error:
        raise LostError(str(error)) from error


@contextmanager
def exclusive_to(world: World, folder: Path | str) -> Generator[Path]:
    """Yield `folder`, locked by the first process of a job for all of them.

    Raises: UserError if another job holds the lock, or the folder cannot be written; LostError.
    """
    with exclusive(folder) if world.leads else nullcontext(Path(folder)) as held:
        world.barrier()
        yield held


def world_of(variables: Mapping[str, str]) -> World:
    """Return the world that torchrun's variables describe. Raises: UserError if they are incomplete or impossible."""
    if variables.get("WORLD_SIZE", "1") == "1":
        return ALONE
    missing = [name for name in NAMES if not variables.get(name)]
    if missing:
        raise UserError(
            f"WORLD_SIZE is {variables['WORLD_SIZE']}, but {missing[0]} is not set; start the processes by torchrun, "
            "or unset WORLD_SIZE"
        )
    numbers: dict[str, int] = {}
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        if not variables[name].isdecimal():
            raise UserError(f"{name} is {variables[name]!r}, which is not a number; start the processes by torchrun")
        numbers[name] = int(variables[name])
    if numbers["RANK"] >= numbers["WORLD_SIZE"]:
        raise UserError(f"RANK is {numbers['RANK']}, but there are only {numbers['WORLD_SIZE']} processes")
    return World(numbers["RANK"], numbers["WORLD_SIZE"], numbers["LOCAL_RANK"])


@cache
def joined() -> World:
    """Return the world of this process, which has joined it. Raises: UserError if the others cannot be reached."""
    world = world_of(os.environ)
    if world.size > 1:
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        try:
            torch.distributed.init_process_group(backend, timeout=PATIENCE)
        except (RuntimeError, ValueError) as error:
            place = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
            raise UserError(f"the other processes cannot be reached at {place} ({error})") from error
    return world


def left() -> None:
    """Leave the world, after the last collective."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def speaks_first() -> bool:
    """Return whether no other process of this job has reported yet why it ends, so that this one does."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return True
    try:
        store = torch.distributed.distributed_c10d._get_default_store()  # pyright: ignore[reportPrivateUsage]
        return store.add(SPOKEN, 1) == 1
    except RuntimeError:
        return False  # The store was the first process's, which has ended and said why.
