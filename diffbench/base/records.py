"""Measured numbers: an estimate with its interval, and tidy records of them in JSON files."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffbench.base.artifacts import replacing
from diffbench.base.errors import UserError
from diffbench.base.record_types import require_score

ROW_KEYS = (
    "benchmark",
    "model",
    "sampler",
    "steps",
    "guidance_scale",
    "train_seed",
    "sample_seed",
    "num_images",
)
"""What identifies a table row; every record carries all of them (null where it does not apply)."""

PLACE = ("model", "sampler", "steps")
"""What names a row in a folder of results, and in front of a person."""

SEEDS = ("train_seed", "sample_seed")
"""In what the records of one row differ."""

SET_KEYS = (*PLACE, *SEEDS)
"""What tells a sample set from others of as many images under the same guidance."""


NORMAL_95 = 1.959963984540054
"""97.5 % quantile of the standard normal distribution."""


@dataclass(frozen=True)
class Estimate:
    """A number and its 95 % interval; `covers` says which randomness the interval accounts for."""

    value: float
    low: float
    high: float
    covers: str = "sampling"

    @classmethod
    def exact(cls, value: float) -> "Estimate":
        """Return an estimate without randomness: its interval is the value itself."""
        return cls(value, value, value, covers="nothing")

    @classmethod
    def normal(cls, value: float, standard_error: float, covers: str = "sampling") -> "Estimate":
        """Return the estimate whose interval is value +- 1.96 standard errors."""
        margin = NORMAL_95 * standard_error
        return cls(value, value - margin, value + margin, covers)


def student_quantile(degrees: float) -> float:
    """Return the 97.5 % quantile of Student's distribution with at least 1 degree of freedom, to 1e-6.

    Newton's steps from the expansion around the normal quantile rise to the root: the distribution is concave there.
    Source: Abramowitz and Stegun 1964, 26.7.5.
    """
    if degrees < 1:
        raise ValueError(f"degrees = {degrees}, at least 1 is allowed")
    z = NORMAL_95
    terms = ((z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96, (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384)
    t = z + sum(term / degrees**power for power, term in enumerate(terms, start=1))
    scale = math.exp(math.lgamma((degrees + 1) / 2) - math.lgamma(degrees / 2)) / math.sqrt(degrees * math.pi)

    def density(at: float) -> float:
        return scale * (1 + at * at / degrees) ** (-(degrees + 1) / 2)

    def mass(upper: float, pieces: int = 200) -> float:  # Simpson's rule
        inner = math.fsum((4 if i % 2 else 2) * density(upper * i / pieces) for i in range(1, pieces))
        return (density(0) + inner + density(upper)) * upper / (3 * pieces)

    while abs(step := (0.475 - mass(t)) / density(t)) > 1e-7:
        t += step
    return t


def record(row: Mapping[str, Any], metric: str, protocol: str | None, estimate: Estimate) -> dict[str, Any]:
    """Return one tidy record: the row it belongs to, the metric's name, its protocol and the estimate."""
    missing = [key for key in ROW_KEYS if key not in row]
    if missing:
        raise UserError(f"record of {metric}: the row lacks {', '.join(missing)}")
    return {
        **{key: row[key] for key in ROW_KEYS},
        "protocol": protocol,
        "metric": metric,
        "value": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "covers": estimate.covers,
    }


def write_records(path: Path, records: Sequence[Mapping[str, Any]]) -> None:
    """Write tidy records as JSON, keys sorted, so that equal records are equal bytes."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps({"records": list(records)}, indent=1, sort_keys=True) + "\n")


def read_records(paths: Iterable[Path]) -> list[dict[str, Any]]:
    """Return the records of several files, in the order given.

    Raises: UserError naming the file that is missing or is not a file of records.
    """
    found: list[dict[str, Any]] = []
    for path in paths:
        try:
            held = json.loads(Path(path).read_text())["records"]
        except FileNotFoundError:
            raise UserError(f"{path}: no such file of scores; run the score stage first") from None
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror})") from None
        except (ValueError, KeyError, TypeError, RecursionError):
            held = None
        if not isinstance(held, list) or not all(isinstance(item, dict) for item in held):
            raise UserError(f"{path}: not a file of scores (JSON with a list 'records')")
        for item in held:
            require_score(item, Path(path))
        found += held
    return found
