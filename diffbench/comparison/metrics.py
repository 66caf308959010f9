"""Facts of metrics for comparisons: their names, whether higher is better, and which ones score a model itself."""

import re
from collections.abc import Iterable
from typing import Any

from diffbench.base.errors import UserError
from diffbench.base.plugins import load, names, nearest

OF_A_MODEL = ("nll_bits_per_dim", "rate_bits_per_dim", "distortion_bits_per_dim", "distortion_rmse")
"""Scores of a model itself, which no sampler changes; lower is better."""


def known_metrics() -> list[str]:
    """Return the names of all metrics that can be compared."""
    return [*(name for name in names("metrics") if name != "bits_per_dim"), *OF_A_MODEL]


def metric_named(word: str, known: Iterable[str] | None = None) -> str:
    """Return the metric that a word names: `FID` and `fid`, `Inception-Score` and `inception_score` are the same.

    known: the names to choose from; None for all metrics. A dotted path of a class of your own is returned as it is.
    Raises: UserError with the nearest names if there is no such metric.
    """
    allowed = list(known_metrics() if known is None else known)
    if word in allowed or "." in word:
        return word
    if written_name(word) in allowed:
        return written_name(word)
    raise UserError(f"no metric '{word}'; {nearest_metric(word, allowed)}")


def written_name(word: str) -> str:
    """Return a metric's name as it is written here, in lower case with underscores; a dotted path as it is."""
    return word if "." in word else re.sub(r"[\s_-]+", "_", word.strip().lower())


def nearest_metric(word: str, allowed: Iterable[str]) -> str:
    """Return the end of an error message, as `nearest`, which also knows initials and parts of a name (IS, nll)."""
    allowed, plain = list(allowed), written_name(word)
    short = [name for name in allowed if len(plain) > 1 and (plain in name or plain == _initials(name))]
    near = [name for name in short if plain == _initials(name)] or short
    hint = f"did you mean {' or '.join(repr(name) for name in near[:3])}? " if near else ""
    return f"{hint}allowed: {', '.join(sorted(allowed))}" if near else nearest(plain, allowed)


def _initials(name: str) -> str:
    return "".join(part[0] for part in name.split("_") if part)


def higher_is_better(metric: str) -> bool:
    """Return whether higher values of a metric are better. Raises: UserError if there is no such metric."""
    return metric not in OF_A_MODEL and _class_of(metric).higher_is_better


def ideal_of(metric: str) -> float | None:
    """Return the best value of a metric; None if higher or lower values are better. Raises: UserError as above."""
    return None if metric in OF_A_MODEL else _class_of(metric).ideal


def what_is_better(metric: str) -> str:
    """Return in words which values of a metric are better. Raises: UserError as above."""
    ideal = ideal_of(metric)
    if ideal is not None:
        return f"nearer to {ideal:g} is better"
    return f"{'higher' if higher_is_better(metric) else 'lower'} is better"


def _class_of(metric: str) -> Any:
    known = known_metrics()
    if metric not in known and "." not in metric:
        raise UserError(f"no metric '{metric}'; {nearest_metric(metric, known)}")
    return load("metrics", metric)
