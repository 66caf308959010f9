"""Sums of gradients: over the parts of a batch that one process computes in turn, and over the processes of a job."""

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from diffbench.base.world import World

BUCKET = 25 * 2**20
"""The most bytes of gradients that are sent at once, as in torch's DistributedDataParallel."""

Gradients = list[Tensor]


@runtime_checkable
class GradientSum(Protocol):
    """How the gradients of the parts of a batch become one; each part's `backward` adds to the parameters' `.grad`.

    divisor: the number by which the sum over the processes is divided, which a loss makes good.
    """

    divisor: int

    def before(self, *, last: bool) -> None:
        """Prepare for a part. last: whether it is this process's last one of the step."""

    def after(self) -> None:
        """Take in a part whose gradient is there."""

    def finish(self) -> None:
        """Leave the sum over all parts of all processes in the parameters' `.grad`."""


class Summed:
    """Each process adds its parts up, and the processes' sums are added in buckets, in an order that is theirs."""

    divisor = 1

    def __init__(self, network: nn.Module, world: World):
        self._network, self._world = network, world

    def before(self, *, last: bool) -> None:
        """Do nothing."""

    def after(self) -> None:
        """Do nothing: `backward` has added the part."""

    def finish(self) -> None:
        """Replace the gradients by their sums over the processes."""
        if self._world.size == 1:
            return
        for gradients in _buckets(_gradients(self._network)):
            _unpack(self._world.total(_packed(gradients)), gradients)


class SummedInOrder:
    """The gradients of all parts are added in the order of their images, whichever processes they come from.

    Each process adds its parts to the sum of the processes before it. The first adds at once; the others keep the
    gradient of each part until that sum arrives. The last one tells all.
    """

    divisor = 1

    def __init__(self, network: nn.Module, world: World):
        self._network, self._world = network, world
        self._parts: list[Gradients] = []

    def before(self, *, last: bool) -> None:
        """Let the part's gradient be its own."""
        self._network.zero_grad(set_to_none=True)

    def after(self) -> None:
        """Keep the part's gradient, or add it if no part before it is missing."""
        gradients = _gradients(self._network)
        if self._parts and self._world.leads:
            torch._foreach_add_(self._parts[0], gradients)  # pyright: ignore[reportPrivateImportUsage]
        else:
            self._parts.append(gradients)

    def finish(self) -> None:
        """Put the sum in place of the last part's gradient."""
        sums = self._parts[0] if self._world.size == 1 else self._chained()
        for gradient, total in zip(_gradients(self._network), sums, strict=True):
            gradient.copy_(total)
        self._parts = []

    def _chained(self) -> Gradients:
        """Return the sums over all processes; while one bucket is further down the chain, the next is added here."""
        buckets = [list(_buckets(part)) for part in self._parts]
        totals: list[Tensor] = []
        for pieces in zip(*buckets, strict=True):
            packed = [_packed(piece) for piece in pieces]
            totals.append(torch.empty_like(packed[0]))
            self._world.passed_on(packed, totals[-1])
        for total in totals:
            self._world.told_by_last(total)
        for total, gradients in zip(totals, buckets[0], strict=True):
            _unpack(total, gradients)
        return self._parts[0]


class SummedByShard:
    """The processes share the weights (FSDP2): each gets the sum of its share of the gradient after the last part."""

    def __init__(self, network: nn.Module, world: World):
        # FSDP takes the mean over the processes, and gloo has no sum with another factor.
        self._network, self.divisor = network, world.size

    def before(self, *, last: bool) -> None:
        """Let the processes exchange gradients after the last part only."""
        self._network.set_requires_gradient_sync(last)  # pyright: ignore[reportCallIssue]

    def after(self) -> None:
        """Do nothing."""

    def finish(self) -> None:
        """Do nothing: FSDP has added the gradients during the last part's `backward`."""


def _gradients(network: nn.Module) -> Gradients:
    return [parameter.grad for parameter in network.parameters() if parameter.grad is not None]


def _buckets(gradients: Sequence[Tensor]) -> Iterator[Gradients]:
    """Yield the gradients in their order, in groups of one type and of at most BUCKET bytes, or of one gradient."""
    held: Gradients = []
    for gradient in gradients:
        size = sum(tensor.nbytes for tensor in held)
        if held and (held[0].dtype != gradient.dtype or size + gradient.nbytes > BUCKET):
            yield held
            held = []
        held.append(gradient)
    if held:
        yield held


def _packed(gradients: Sequence[Tensor]) -> Float[Tensor, " values"]:
    return torch.cat([gradient.reshape(-1) for gradient in gradients])


def _unpack(values: Float[Tensor, " values"], gradients: Sequence[Tensor]) -> None:
    sizes = [gradient.numel() for gradient in gradients]
    for gradient, piece in zip(gradients, values.split(sizes), strict=True):
        gradient.copy_(piece.view(gradient.shape))
