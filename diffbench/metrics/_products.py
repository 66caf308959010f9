"""Matrix products of features: by numpy, or on another device for as long as that is asked for.

The bound on a product's rounding error holds for any order of summation in true float32, so TF32 is off here. Decisions
are therefore the same on every device; only the interval of recall, which uses some products as they are, may differ in
its last digits.
"""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
from jaxtyping import Float

_device: ContextVar[str | None] = ContextVar("device", default=None)


@contextmanager
def products_on(device: str) -> Generator[None]:
    """Let torch multiply features on a device ("cuda", "cpu") while the block runs. Needs torch."""
    before = _device.set(device)
    try:
        yield
    finally:
        _device.reset(before)


def product(
    a: Float[np.ndarray, "rows features"], b: Float[np.ndarray, "columns features"], out: np.ndarray | None = None
) -> Float[np.ndarray, "rows columns"]:
    """Return a b'. Products in float64 are always numpy's, since not every device has them."""
    device = _device.get()
    if device is None or a.dtype != np.float32:
        return np.matmul(a, b.T, out=out)
    import torch

    out = np.empty((len(a), len(b)), np.float32) if out is None else out
    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        torch.from_numpy(out).copy_(torch.from_numpy(a).to(device) @ torch.from_numpy(b).to(device).T)
    finally:
        torch.set_float32_matmul_precision(precision)
    return out
