"""Measured numbers: estimates with their intervals, and tidy records of them in JSON files."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from diffbench.base.errors import UserError
from diffbench.base.plugins import is_list
from diffbench.base.record_types import require_score
from diffbench.base.writing import replacing


@dataclass(frozen=True)
class Row:
    """What identifies a row of the tables; a field that does not apply is None.

    num_images: in a request, the most images that count; in a record, how many were scored. numerics: how the networks
    computed whose work is scored, such as "train bf16, sample bf16"; None, and not in the record, if all computed in
    float32 with the default kernels.
    """

    benchmark: str
    model: str
    sampler: str | None = None
    steps: int | None = None
    guidance_scale: float | None = None
    train_seed: int | None = None
    sample_seed: int | None = None
    num_images: int | None = None
    numerics: str | None = field(default=None, metadata={"omitted": True})


ROW_KEYS = tuple(item.name for item in fields(Row) if not item.metadata.get("omitted"))
"""The keys that identify a table row. Every record has all of them; one that does not apply is null."""

NUMERICS = "numerics"
"""The key of a row that only records have whose networks did not compute by default."""

NAMING_KEYS = ("model", "sampler", "steps")
"""The keys that name a row in a folder of results and in messages."""

SEEDS = ("train_seed", "sample_seed")
"""The keys in which the records of one row differ."""

SET_KEYS = (*NAMING_KEYS, *SEEDS)
"""The keys that tell apart sample sets with the same number of images and the same guidance."""


NORMAL_95 = 1.959963984540054
"""97.5 % quantile of the standard normal distribution."""

FEWEST_SEEDS = 3
"""The fewest seeds whose spread gives a useful interval: with two, Student's quantile is 12.7."""


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


def record(row: Row, metric: str, protocol: str | None, estimate: Estimate) -> dict[str, Any]:
    """Return one tidy record: the row it belongs to, its protocol, the metric's name and the estimate."""
    keys = {key: value for key, value in asdict(row).items() if key in ROW_KEYS or value is not None}
    return {**keys, "protocol": protocol, "metric": metric, **asdict(estimate)}


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
        if not is_list(held) or not all(isinstance(item, dict) for item in held):
            raise UserError(f"{path}: not a file of scores (JSON with a list 'records')")
        for item in held:
            require_score(item, Path(path))
        found += held
    return found
