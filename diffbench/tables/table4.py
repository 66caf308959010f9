"""The table of guidance, with scores and costs: one row per guided sample set (Dhariwal and Nichol 2021, table 4)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import pandas

from diffbench.base.names import REAL
from diffbench.base.sheets import METRICS, View
from diffbench.tables._rows import Shared, columns_of, framed, ordered, pivot, scores_of

SCORES = ("fid", "inception_score", "precision", "recall", "classification_accuracy")
"""Metrics that have columns in every table; each has an interval."""

LEFT_OUT = ("kid",)
"""Metrics that are not read beside those of SCORES: table 2 has them for the same rows."""

COSTS = ("nfe", "classifier_evaluations", "flops_per_image")
"""Costs that are counted while sampling; at scale 0 no classifier is evaluated."""

KEYS = (
    *("benchmark", "model", "sampler", "steps", "guidance_scale", "nfe", "classifier_evaluations"),
    *("train_seed", "sample_seed", "num_images", "protocol"),
)

COLUMNS = (*KEYS, *columns_of(SCORES), "flops_per_image")
"""The columns that every such table has; those of other metrics come after those of SCORES."""


@dataclass(frozen=True)
class Table4:
    """Rows of guided models in ascending scale; `real` is first, which are held-out images with their true labels."""

    consumes: ClassVar[str] = "records"
    view: ClassVar[View] = View(
        title="Guidance at each scale",
        columns=(
            *("benchmark", "model", "sampler", "steps", "guidance_scale", "train_seed", "sample_seed", "num_images"),
            *("protocol", METRICS),
        ),
        if_varied=("benchmark", "train_seed", "sample_seed", "num_images", "protocol"),
        beside=("kid", "classified"),
        covers="over images; training is not covered",
    )

    def __call__(self, records: Iterable[Mapping[str, Any]]) -> pandas.DataFrame:
        """Return the table of tidy records; cells without a record are missing values.

        Its columns: KEYS, three for each metric of SCORES and for every other one that is recorded, and the operations
        for an image. Records of models without guidance are left out.
        Raises: UserError if two records differ on the same cell.
        """
        wanted = [item for item in records if item["guidance_scale"] is not None or item["model"] == REAL]
        scores = scores_of(wanted, SCORES, LEFT_OUT)
        rows = ordered(pivot(wanted, scores, Shared(COSTS)), numbers=("steps", "guidance_scale"))
        return framed(rows, [*KEYS, *columns_of(scores), "flops_per_image"])
