"""Computation as a job of the workflow computes, within a notebook that has settings of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from diffbench.base.devices import prepare
from diffbench.base.numerics import Numerics
from diffbench.base.progress import patient

PATIENCE = 3.0
"""The seconds of work after which a progress bar is shown."""


@contextmanager
def repeatable(numerics: Numerics, threads: int, device: torch.device) -> Iterator[None]:
    """Compute with a job's threads and kernels in this block, and restore the notebook's settings after it.

    Progress is shown only for work that takes long.
    """
    matmul, filling = torch.backends.cuda.matmul, torch.utils.deterministic
    cudnn: Any = torch.backends.cudnn
    kept = torch.get_num_threads(), matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark
    strict, warns = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    filled = filling.fill_uninitialized_memory  # pyright: ignore[reportAttributeAccessIssue]
    try:
        prepare(numerics, threads, device)
        with patient(PATIENCE):
            yield
    finally:
        torch.use_deterministic_algorithms(strict, warn_only=warns)
        filling.fill_uninitialized_memory = filled  # pyright: ignore[reportAttributeAccessIssue]
        threads, matmul.allow_tf32, cudnn.allow_tf32, cudnn.benchmark = kept
        torch.set_num_threads(threads)
