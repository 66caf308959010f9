"""How a network computes: the choices that may change the last bits of a result, or more of them."""

from dataclasses import dataclass
from typing import Literal

Precision = Literal["float32", "tf32", "bf16"]


@dataclass(frozen=True)
class Numerics:
    """How a network computes. Each choice is recorded, because it may change bits of the result.

    precision: float32; tf32, which rounds the inputs of matrix products on a GPU; or bf16, under which layers compute
    in bfloat16 while weights, norms, losses and samplers stay in float32. channels_last: whether feature maps are
    stored with their channels last, which is often faster. compiled: whether torch.compile makes kernels for the
    network. deterministic: whether only kernels are used that give the same bytes twice.
    """

    precision: Precision = "float32"
    channels_last: bool = False
    compiled: bool = False
    deterministic: bool = True
