"""A reader of files of validation losses."""

from pathlib import Path

from diffbench.base.arrays import read_member
from diffbench.base.errors import UserError
from diffbench.diffusion.validation_loss import NAMES, ValidationLosses


def read_validation(path: Path) -> ValidationLosses:
    """Return the validation losses in a file. Raises: UserError naming it if it is missing or holds something else."""
    arrays = {name: read_member(path, name) for name in NAMES}
    try:
        return ValidationLosses.of(arrays)
    except ValueError as error:
        raise UserError(f"{path}: {error}; train again to make it") from None
