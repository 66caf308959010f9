"""The comparison of an array with a recorded one."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from diffbench.base.errors import UserError
from diffbench.base.plugins import nearest


@dataclass(frozen=True)
class Comparison:
    """The errors of an array against the reference's, and the verdict.

    absolute: the largest absolute error. relative: the same, divided by the array's largest value. tolerance: the
    largest relative error that passes.
    """

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
    """Return the comparison of an array.

    tolerance: relative to the reference's largest value, broadcast over its entries. rounding: an absolute error that
    is allowed as well, for recorded numbers that are small differences of larger ones.
    """
    ours = ours.detach().numpy() if isinstance(ours, Tensor) else np.asarray(ours)
    if ours.shape != reference.shape:
        raise UserError(f"array {name} has shape {reference.shape}, ours has {ours.shape}")
    if reference.dtype.kind not in "biuf" or np.isinf(reference).any() or np.isnan(reference).all():
        # With an infinite reference, or with none at all, any value of ours would pass.
        raise UserError(f"array {name} of the record holds no numbers to compare with; record it again")
    # In chains of a few steps, some recorded entries are NaN, since float32 could not compute them. They are left out.
    known = ~np.isnan(reference)
    if not known.any():
        raise UserError(f"array {name} holds no number, so that nothing can be compared")
    error = np.where(known, np.abs(ours.astype(np.float64) - reference.astype(np.float64)), 0.0)
    scale = float(np.abs(reference[known]).max(initial=0.0)) or 1.0
    # A NaN of ours fails, because every comparison with NaN is false.
    passed = bool((error <= tolerance * scale + rounding).all())
    return Comparison(name, float(error.max()), float(error.max()) / scale, passed, float(np.max(tolerance)))


def check_known(config: dict, key: str, allowed: Iterable[str]) -> None:
    """Raise UserError if a value in the record's configuration is not known."""
    if config[key] not in allowed:
        raise UserError(f"{key} '{config[key]}' is not known; {nearest(config[key], allowed)}")
