"""Networks without values: their layers and shapes, on torch's meta device."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

DIVISIONS = ("__truediv__", "div")
"""The names of the functions behind `tensor / number`."""


class _NoNumbers(TorchFunctionMode):
    """Leaves out the functions of torch.nn.init, draws nothing, and divides nothing by a number."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given: dict[str, Any] = kwargs or {}
        if getattr(func, "__module__", None) == "torch.nn.init":
            return given["tensor"] if "tensor" in given else args[0]
        if func is torch.randn:
            empty: Any = torch.empty
            return empty(*args, **given)
        if getattr(func, "__name__", None) in DIVISIONS and isinstance(args[1], int | float):
            return args[0]
        return func(*args, **given)


@contextmanager
def without_values() -> Generator[None]:
    """Return a context in which networks are built from shapes alone, in milliseconds and without memory.

    torch.device("meta") alone is not enough. The first normal numbers on that device (of an embedding, for example) and
    the first division there import torch's compiler, which takes several seconds.
    """
    with torch.device("meta"), _NoNumbers():
        yield
