"""The table of upsampling and guidance, with scores and costs: one row per sample set.

Dhariwal and Nichol 2021, table 6. ADM, ADM-G, ADM-U and ADM-G+U are models of the benchmark. The images of a model that
makes smaller ones are enlarged before they are scored.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import pandas

from diffbench.base.sheets import METRICS, View
from diffbench.tables._rows import Shared, columns_of, framed, ordered, pivot, scores_of

SCORES = ("fid", "sfid", "inception_score", "precision", "recall", "classification_accuracy")
"""Metrics that have columns in every table; each has an interval."""

LEFT_OUT = ("kid",)
"""Metrics that are not read beside those of SCORES: table 2 has them for the same rows."""

PAIRED = ("psnr", "psnr_enlarged")
"""Metrics of upsampled real images against the true ones, for the upsampler and for bilinear enlargement."""

COSTS = ("nfe", "nfe_low_res", "classifier_evaluations", "flops_per_image")
"""Costs that are counted while sampling, over all models of a cascade; nfe_low_res is nfe without the last model's."""

KEYS = (
    *("benchmark", "model", "sampler", "steps", "guidance_scale", "nfe", "nfe_low_res", "classifier_evaluations"),
    *("train_seed", "sample_seed", "num_images", "protocol"),
)

COLUMNS = (*KEYS, *columns_of([*SCORES, *PAIRED]), "flops_per_image")
"""The columns that every such table has; those of other metrics come after those of SCORES."""


@dataclass(frozen=True)
class Table5:
    """Rows with `real` first, models and samplers in the order of the records, and ascending steps."""

    consumes: ClassVar[str] = "records"
    view: ClassVar[View] = View(
        title="Upsampling and guidance",
        columns=(
            *("benchmark", "model", "sampler", "steps", "nfe", "guidance_scale", "train_seed", "sample_seed"),
            *("num_images", "protocol", METRICS),
        ),
        if_varied=("benchmark", "guidance_scale", "train_seed", "sample_seed", "num_images", "protocol"),
        beside=("kid", "classified"),
        covers="over images; training is not covered",
    )

    def __call__(self, records: Iterable[Mapping[str, Any]]) -> pandas.DataFrame:
        """Return the table of tidy records; cells without a record are missing values.

        Its columns: KEYS, three for each metric of SCORES, for every other one that is recorded and for those of
        PAIRED, and the operations for an image. Raises: UserError if two records differ on the same cell.
        """
        records = list(records)
        scores = scores_of(records, SCORES, LEFT_OUT)
        rows = ordered(pivot(records, scores, Shared((*COSTS, *PAIRED))))
        return framed(rows, [*KEYS, *columns_of([*scores, *PAIRED]), "flops_per_image"])
