"""What guidance buys and costs: one row per guided sample set (Dhariwal and Nichol 2021, table 4)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import pandas

from diffbench.base.names import REAL
from diffbench.tables._rows import Shared, framed, ordered, pivot

SCORES = ("fid", "inception_score", "precision", "recall", "classification_accuracy")
"""Measured under a protocol; each has an interval."""

COSTS = ("nfe", "classifier_evaluations", "flops_per_image")
"""Counted while sampling; at scale 0 no classifier is evaluated."""

COLUMNS = (
    *("benchmark", "model", "sampler", "steps", "guidance_scale", "nfe", "classifier_evaluations"),
    *("train_seed", "sample_seed", "num_images", "protocol"),
    *(f"{metric}{end}" for metric in SCORES for end in ("", "_low", "_high")),
    "flops_per_image",
)


@dataclass(frozen=True)
class Table4:
    """Rows of guided models by ascending scale, and `real` first: held-out images, with their own labels."""

    consumes: ClassVar[str] = "records"

    def __call__(self, records: Iterable[Mapping[str, Any]]) -> pandas.DataFrame:
        """Return the table; records of other metrics and of models without guidance are left out.

        Raises: UserError where two records differ on the same cell.
        """
        return table4(records)


def table4(records: Iterable[Mapping[str, Any]]) -> pandas.DataFrame:
    """Return the table of tidy records; its columns are `COLUMNS`, cells without a record missing values."""
    wanted = (item for item in records if item["guidance_scale"] is not None or item["model"] == REAL)
    return framed(ordered(pivot(wanted, SCORES, Shared(COSTS)), numbers=("steps", "guidance_scale")), COLUMNS)
