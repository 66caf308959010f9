"""The main table: one row per model, sampler and number of steps (Nichol and Dhariwal 2021, table 2)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import pandas

from diffbench.base.records import NORMAL_95
from diffbench.tables._rows import Shared, framed, ordered, pivot

SCORES = ("fid", "kid", "inception_score", "precision", "recall")
"""Metrics that are measured under a protocol; each has an interval."""

COSTS = ("nfe", "nfe_max", "flops_per_image")
"""Costs that are counted while sampling; nfe_max is there if the images of a set differ in their evaluations."""

NUMBERS_OF_A_MODEL = (
    *("nll_bits_per_dim", "nll_train_bits_per_dim", "nll_gap_bits_per_dim"),
    *("rate_bits_per_dim", "distortion_bits_per_dim", "distortion_rmse", "prior_bits_per_dim"),
)
"""Metrics that are measured on the full training chain, so they are equal in all rows of a model."""

BOUND = (*NUMBERS_OF_A_MODEL, "nll_subset_se")
"""All that is recorded of a model's bound, with the error of a bound that evaluates a part of the chain."""

ERRORS = {"nll_bits_per_dim": "nll_se", "nll_train_bits_per_dim": "nll_train_se", "nll_gap_bits_per_dim": "nll_gap_se"}
"""Columns for the standard errors of the bound's totals, read from their intervals."""

MODEL_KEYS = ("benchmark", "model", "train_seed")

COLUMNS = (
    *("benchmark", "model", "sampler", "steps", "nfe", "nfe_max", "guidance_scale", "train_seed", "sample_seed"),
    *("num_images", "protocol"),
    *(f"{metric}{end}" for metric in SCORES for end in ("", "_low", "_high")),
    *("nll_bits_per_dim", "nll_se", "nll_subset_se", "nll_train_bits_per_dim", "nll_train_se"),
    *("nll_gap_bits_per_dim", "nll_gap_se"),
    *("rate_bits_per_dim", "distortion_bits_per_dim", "distortion_rmse", "prior_bits_per_dim"),
    "flops_per_image",
)


@dataclass(frozen=True)
class Table2:
    """Rows with `real` first, models and samplers in the order of the records, and ascending steps."""

    consumes: ClassVar[str] = "records"

    def __call__(self, records: Iterable[Mapping[str, Any]]) -> pandas.DataFrame:
        """Return the table of tidy records, with the columns `COLUMNS`; cells without a record are missing values.

        Records of other metrics are left out. A sample set that is scored under two protocols has two rows.
        Raises: UserError if two records differ on the same cell.
        """
        rows = pivot(records, SCORES, Shared(COSTS), Shared(BOUND, MODEL_KEYS))
        for row in rows:
            for metric, error in ERRORS.items():
                if metric in row:
                    row[error] = (row[f"{metric}_high"] - row[f"{metric}_low"]) / (2 * NORMAL_95)
        return framed(ordered(rows), COLUMNS)
