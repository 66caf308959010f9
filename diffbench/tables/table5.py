"""The table of upsampling and guidance, with scores and costs: one row per sample set.

Dhariwal and Nichol 2021, table 6. ADM, ADM-G, ADM-U and ADM-G+U are models of the benchmark. The images of a model that
makes smaller ones are enlarged before they are scored.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import pandas

from diffbench.tables._rows import Shared, framed, ordered, pivot

SCORES = ("fid", "sfid", "inception_score", "precision", "recall", "classification_accuracy")
"""Metrics that are measured under a protocol; each has an interval."""

PAIRED = ("psnr", "psnr_enlarged")
"""Metrics of upsampled real images against the true ones, for the upsampler and for bilinear enlargement."""

COSTS = ("nfe", "nfe_low_res", "classifier_evaluations", "flops_per_image")
"""Costs that are counted while sampling, over all models of a cascade; nfe_low_res is nfe without the last model's."""

COLUMNS = (
    *("benchmark", "model", "sampler", "steps", "guidance_scale", "nfe", "nfe_low_res", "classifier_evaluations"),
    *("train_seed", "sample_seed", "num_images", "protocol"),
    *(f"{metric}{end}" for metric in (*SCORES, *PAIRED) for end in ("", "_low", "_high")),
    "flops_per_image",
)


@dataclass(frozen=True)
class Table5:
    """Rows with `real` first, models and samplers in the order of the records, and ascending steps."""

    consumes: ClassVar[str] = "records"

    def __call__(self, records: Iterable[Mapping[str, Any]]) -> pandas.DataFrame:
        """Return the table of tidy records, with the columns `COLUMNS`; cells without a record are missing values.

        Records of other metrics are left out. Raises: UserError if two records differ on the same cell.
        """
        return framed(ordered(pivot(records, SCORES, Shared((*COSTS, *PAIRED)))), COLUMNS)
