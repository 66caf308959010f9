"""The table of guidance, with scores and costs: one row per guided sample set (Dhariwal and Nichol 2021, table 4)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import pandas

from diffbench.base.names import REAL
from diffbench.tables._rows import Shared, framed, ordered, pivot

SCORES = ("fid", "inception_score", "precision", "recall", "classification_accuracy")
"""Metrics that are measured under a protocol; each has an interval."""

COSTS = ("nfe", "classifier_evaluations", "flops_per_image")
"""Costs that are counted while sampling; at scale 0 no classifier is evaluated."""

COLUMNS = (
    *("benchmark", "model", "sampler", "steps", "guidance_scale", "nfe", "classifier_evaluations"),
    *("train_seed", "sample_seed", "num_images", "protocol"),
    *(f"{metric}{end}" for metric in SCORES for end in ("", "_low", "_high")),
    "flops_per_image",
)


@dataclass(frozen=True)
class Table4:
    """Rows of guided models in ascending scale; `real` is first, which are held-out images with their true labels."""

    consumes: ClassVar[str] = "records"

    def __call__(self, records: Iterable[Mapping[str, Any]]) -> pandas.DataFrame:
        """Return the table of tidy records, with the columns `COLUMNS`; cells without a record are missing values.

        Records of other metrics and of models without guidance are left out.
        Raises: UserError if two records differ on the same cell.
        """
        wanted = (item for item in records if item["guidance_scale"] is not None or item["model"] == REAL)
        return framed(ordered(pivot(wanted, SCORES, Shared(COSTS)), numbers=("steps", "guidance_scale")), COLUMNS)
