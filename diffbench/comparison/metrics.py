"""Facts of metrics that a comparison needs: whether higher is better, and which ones score a model itself."""

from diffbench.base.errors import UserError
from diffbench.base.plugins import load, names, nearest

OF_A_MODEL = ("nll_bits_per_dim", "rate_bits_per_dim", "distortion_bits_per_dim", "distortion_rmse")
"""Scores of a model itself, which no sampler changes; lower is better."""


def higher_is_better(metric: str) -> bool:
    """Return whether higher values of a metric are better. Raises: UserError if there is no such metric."""
    if metric in OF_A_MODEL:
        return False
    known = [name for name in names("metrics") if name != "bits_per_dim"]
    if metric not in known:
        raise UserError(f"no metric '{metric}'; {nearest(metric, [*known, *OF_A_MODEL])}")
    return load("metrics", metric).higher_is_better
