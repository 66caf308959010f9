"""Memory that runs out, said in one line."""

from collections.abc import Generator
from contextlib import contextmanager

import torch

from diffbench.base.errors import UserError

ON_THE_HOST = "can't allocate memory"
"""What PyTorch's allocator of host memory says; its error has no class of its own."""


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory ran out, of a GPU or of the host."""
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or (
        isinstance(error, RuntimeError) and ON_THE_HOST in str(error)
    )


@contextmanager
def enough_memory(work: str, way_out: str) -> Generator[None]:
    """Raise UserError in one line where memory runs out. work: what needed too much; way_out: what to change."""
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise UserError(f"out of memory: {work} do not fit; {way_out}") from error
