"""The main table: one row per model, sampler and number of steps (Nichol and Dhariwal 2021, table 2)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import pandas

from diffbench.base.sheets import METRICS, View
from diffbench.tables._rows import ERRORS, Shared, columns_of, framed, ordered, pivot, scores_of, standard_error

SCORES = ("fid", "kid", "inception_score", "precision", "recall")
"""Metrics that have columns in every table; each has an interval."""

LEFT_OUT = ("classified", "classification_accuracy")
"""Metrics that are not read beside those of SCORES: tables 4 and 5 have them."""

COSTS = ("nfe", "nfe_max", "flops_per_image")
"""Costs that are counted while sampling; nfe_max is there if the images of a set differ in their evaluations."""

NUMBERS_OF_A_MODEL = (
    *("nll_bits_per_dim", "nll_train_bits_per_dim", "nll_gap_bits_per_dim"),
    *("rate_bits_per_dim", "distortion_bits_per_dim", "distortion_rmse", "prior_bits_per_dim"),
)
"""Metrics that are measured on the full training chain, so they are equal in all rows of a model."""

BOUND = (*NUMBERS_OF_A_MODEL, "nll_subset_se")
"""All that is recorded of a model's bound, with the error of a bound that evaluates a part of the chain."""

MODEL_KEYS = ("benchmark", "model", "train_seed")

KEYS = (
    *("benchmark", "model", "sampler", "steps", "nfe", "nfe_max", "guidance_scale", "train_seed", "sample_seed"),
    *("num_images", "protocol"),
)

AFTER_SCORES = (
    *("nll_bits_per_dim", "nll_se", "nll_subset_se", "nll_train_bits_per_dim", "nll_train_se"),
    *("nll_gap_bits_per_dim", "nll_gap_se"),
    *("rate_bits_per_dim", "distortion_bits_per_dim", "distortion_rmse", "prior_bits_per_dim"),
    "flops_per_image",
)

COLUMNS = (*KEYS, *columns_of(SCORES), *AFTER_SCORES)
"""The columns that every such table has; those of other metrics come after those of SCORES."""


@dataclass(frozen=True)
class Table2:
    """Rows with `real` first, models and samplers in the order of the records, and ascending steps."""

    consumes: ClassVar[str] = "records"
    view: ClassVar[View] = View(
        title="Models and samplers",
        columns=(
            *("benchmark", "model", "sampler", "steps", "nfe", "guidance_scale", "train_seed", "sample_seed"),
            *("num_images", "protocol", "numerics", METRICS, "nll_bits_per_dim"),
        ),
        if_varied=("benchmark", "guidance_scale", "train_seed", "sample_seed", "num_images", "protocol"),
        beside=("kid", *LEFT_OUT),
        covers="over images; training is not covered",
    )

    def __call__(self, records: Iterable[Mapping[str, Any]]) -> pandas.DataFrame:
        """Return the table of tidy records; cells without a record are missing values.

        Its columns: KEYS, three for each metric of SCORES and for every other one that is recorded, AFTER_SCORES. A
        sample set that is scored under two protocols has two rows.
        Raises: UserError if two records differ on the same cell.
        """
        records = list(records)
        scores = scores_of(records, SCORES, LEFT_OUT)
        rows = pivot(records, scores, Shared(COSTS), Shared(BOUND, MODEL_KEYS))
        for row in rows:
            for metric, error in ERRORS.items():
                if metric in row:
                    row[error] = standard_error(row[f"{metric}_low"], row[f"{metric}_high"])
        return framed(ordered(rows), [*KEYS, *columns_of(scores), *AFTER_SCORES])
