"""Metrics as a comparison sees them: whether higher is better, and which are of a model itself."""

from diffbench.base.errors import UserError
from diffbench.base.plugins import load, names, nearest

OF_A_MODEL = ("nll_bits_per_dim", "rate_bits_per_dim", "distortion_bits_per_dim", "distortion_rmse")
"""Scores of a model itself, lower is better, whatever samples it."""


def higher_is_better(metric: str) -> bool:
    """Return whether more of a metric is better. Raises: UserError where there is no such metric."""
    if metric in OF_A_MODEL:
        return False
    known = [name for name in names("metrics") if name != "bits_per_dim"]
    if metric not in known:
        raise UserError(f"no metric '{metric}'; {nearest(metric, [*known, *OF_A_MODEL])}")
    return load("metrics", metric).higher_is_better
