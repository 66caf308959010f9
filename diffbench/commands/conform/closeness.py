"""An array of ours against a recorded one."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from diffbench.base.errors import UserError
from diffbench.base.plugins import nearest


@dataclass(frozen=True)
class Comparison:
    """An array against the reference's: largest absolute error, the same over the array's largest value, verdict,
    and the largest relative error that passes."""

    array: str
    absolute: float
    relative: float
    passed: bool
    tolerance: float

    def __str__(self) -> str:
        verdict = "" if self.passed else f" EXCEEDS {self.tolerance:.0e}"
        return f"{self.array} abs {self.absolute:.1e} rel {self.relative:.1e}{verdict}"


def compare(
    name: str,
    ours: np.ndarray | Tensor,
    reference: np.ndarray,
    tolerance: float | np.ndarray,
    rounding: float = 0.0,
) -> Comparison:
    """Return the comparison of an array; tolerance: relative to its largest value, broadcast over its entries.

    rounding: absolute, of a record that is what was left when larger numbers cancelled.
    """
    ours = ours.detach().numpy() if isinstance(ours, Tensor) else np.asarray(ours)
    if ours.shape != reference.shape:
        raise UserError(f"array {name} has shape {reference.shape}, ours has {ours.shape}")
    if reference.dtype.kind not in "biuf" or np.isinf(reference).any() or np.isnan(reference).all():
        # Against infinity, as against nothing at all, whatever we compute would pass.
        raise UserError(f"array {name} of the record holds no numbers to compare with; record it again")
    # In chains of a few steps the record has entries that its float32 could not compute; there is nothing to compare.
    known = ~np.isnan(reference)
    if not known.any():
        raise UserError(f"array {name} holds no number, so that nothing can be compared")
    error = np.where(known, np.abs(ours.astype(np.float64) - reference.astype(np.float64)), 0.0)
    scale = float(np.abs(reference[known]).max(initial=0.0)) or 1.0
    # A NaN compares false, and so fails.
    passed = bool((error <= tolerance * scale + rounding).all())
    return Comparison(name, float(error.max()), float(error.max()) / scale, passed, float(np.max(tolerance)))


def check_known(config: dict, key: str, allowed: Iterable[str]) -> None:
    """Raise UserError where a value of the record's configuration is none that we know."""
    if config[key] not in allowed:
        raise UserError(f"{key} '{config[key]}' is not known; {nearest(config[key], allowed)}")
