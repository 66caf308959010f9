"""The ceiling of a machine: the floating-point operations per second of its matrix products, by precision."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from diffbench.base.numerics import Precision
from diffbench.commands.bench.timing import Clock, in_turn

SIZES = {"cpu": (512, 1024, 2048), "cuda": (4096, 8192)}
"""Rows of square matrices. The fastest product counts, because a ceiling is what can be reached."""


def measured_ceiling(precision: Precision, device: torch.device, clock: Clock, *, seconds: float) -> float:
    """Return the operations per second of the fastest matrix product; a multiply-add is two."""
    found, sizes = [], SIZES[device.type]
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    with _tf32(precision == "tf32"), torch.no_grad():
        for size in sizes:
            draws = torch.Generator(device).manual_seed(0)
            x, y = (torch.randn(size, size, device=device, generator=draws).to(dtype) for _ in range(2))
            out = torch.empty_like(x)
            round_ = clock.round_of(lambda x=x, y=y, out=out: torch.mm(x, y, out=out))
            times = in_turn(round_, seconds=seconds / len(sizes))[0]
            found.append(2 * size**3 / times.median)
    return max(found)


@contextmanager
def _tf32(allowed: bool) -> Iterator[None]:
    """Let matrix products on a GPU round their inputs to TF32, or not, in this block."""
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = allowed
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before
