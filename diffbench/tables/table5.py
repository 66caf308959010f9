"""What upsampling buys and costs, beside guidance and both: one row per sample set (Dhariwal and Nichol 2021, table 6).

ADM, ADM-G, ADM-U and ADM-G+U are models of the benchmark; a model that makes smaller images is scored on them enlarged.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import pandas

from diffbench.tables._rows import Shared, framed, ordered, pivot

SCORES = ("fid", "sfid", "inception_score", "precision", "recall", "classification_accuracy")
"""Measured under a protocol; each has an interval."""

PAIRED = ("psnr", "psnr_enlarged")
"""Of upsampled real images, against the true ones: the upsampler's, and that of bilinear enlargement."""

COSTS = ("nfe", "nfe_low_res", "classifier_evaluations", "flops_per_image")
"""Counted while sampling, all stages together; nfe_low_res is the part of nfe before the last stage."""

COLUMNS = (
    *("benchmark", "model", "sampler", "steps", "guidance_scale", "nfe", "nfe_low_res", "classifier_evaluations"),
    *("train_seed", "sample_seed", "num_images", "protocol"),
    *(f"{metric}{end}" for metric in (*SCORES, *PAIRED) for end in ("", "_low", "_high")),
    "flops_per_image",
)


@dataclass(frozen=True)
class Table5:
    """Rows in the order in which records name models and samplers, `real` first, steps ascending."""

    consumes: ClassVar[str] = "records"

    def __call__(self, records: Iterable[Mapping[str, Any]]) -> pandas.DataFrame:
        """Return the table; records of other metrics are left out.

        Raises: UserError where two records differ on the same cell.
        """
        return table5(records)


def table5(records: Iterable[Mapping[str, Any]]) -> pandas.DataFrame:
    """Return the table of tidy records; its columns are `COLUMNS`, cells without a record missing values."""
    return framed(ordered(pivot(records, SCORES, Shared((*COSTS, *PAIRED)))), COLUMNS)
