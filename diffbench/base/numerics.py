"""How a network computes: the choices that may change the last bits of a result, or more of them."""

from dataclasses import dataclass, fields
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

    def changed(self) -> dict[str, str | bool]:
        """Return the choices that are not the default, by name."""
        return {
            item.name: getattr(self, item.name) for item in fields(self) if getattr(self, item.name) != item.default
        }

    def __str__(self) -> str:
        """The precision and, after it, the other choices that are not the default: `bf16`, `float32+channels_last`."""
        others = {key: value for key, value in self.changed().items() if key != "precision"}
        return "+".join([self.precision, *(key if value else f"not_{key}" for key, value in others.items())])


DEFAULT_NUMERICS = Numerics()
"""How networks compute if nothing else is asked for. It is not in the JSON of a job."""
