"""The search for a number of images that fit into memory at once."""

import sys
from collections.abc import Callable

import torch

from diffbench.base.errors import UserError
from diffbench.base.memory import is_out_of_memory

STEPS = 3
"""The steps that a trial takes. A sampler that remembers earlier predictions has two of them by then."""


class _EnoughError(Exception):
    """A trial has taken its steps."""


def fitting(tried: Callable[[int, Callable[[], object]], None], most: int) -> int:
    """Return the first of most, most / 2, most / 4, ... images that fit. Says on stderr where it is not `most`.

    tried(size, on_step): samples so many images, and calls on_step after each step. Raises: UserError if not even one
    image fits.
    """
    size = most
    while not _fits(tried, size):
        if size == 1:
            raise UserError("out of memory: not even one image fits; sample on a device with more memory")
        before, size = size, size // 2
        sys.stderr.write(f"diffbench: {before} images at once do not fit into memory; {size} are tried\n")
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    return size


def _fits(tried: Callable[[int, Callable[[], object]], None], size: int) -> bool:
    steps = 0

    def on_step() -> None:
        nonlocal steps
        steps += 1
        if steps == STEPS:
            raise _EnoughError

    try:
        tried(size, on_step)
    except _EnoughError:
        return True
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        return False
    return True
