"""The table of models: their size, what training them cost, their likelihood, and their best FID.

Nichol and Dhariwal 2021, table 3, and Dhariwal and Nichol 2021, table 10, put such numbers side by side.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pandas

from diffbench.base.operations import BOTH_WAYS
from diffbench.base.sheets import View
from diffbench.tables._rows import ERRORS, framed, standard_error

BOUND = (
    "nll_bits_per_dim",
    "nll_train_bits_per_dim",
    "rate_bits_per_dim",
    "distortion_bits_per_dim",
    "distortion_rmse",
)
"""What is taken from a model's bound."""

BEST = {
    "best_fid": "value",
    "best_fid_low": "low",
    "best_fid_high": "high",
    "best_sampler": "sampler",
    "best_steps": "steps",
    "best_guidance_scale": "guidance_scale",
    "best_sample_seed": "sample_seed",
    "num_images": "num_images",
    "protocol": "protocol",
}
"""The columns of the best FID and of the row of table 2 that has it, by the keys of a record."""

COLUMNS = (
    *("benchmark", "model", "train_seed", "weights", "parameters", "flops_per_evaluation"),
    *("training_steps", "batch_size", "images_seen", "training_flops"),
    *("nll_bits_per_dim", "nll_se", "nll_train_bits_per_dim", "nll_train_se"),
    *("rate_bits_per_dim", "distortion_bits_per_dim", "distortion_rmse"),
    *BEST,
)

Records = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Table1:
    """One row for each model and training seed, in the order of the benchmark.

    `model` and `train_seed` are the columns that join it with tables 2 to 5.
    """

    consumes: ClassVar[str] = "models"
    view: ClassVar[View] = View(
        title="Models",
        columns=(
            *("benchmark", "model", "train_seed", "parameters", "flops_per_evaluation", "training_flops"),
            *("nll_bits_per_dim", "nll_train_bits_per_dim", "rate_bits_per_dim", "distortion_rmse"),
            *("best_fid", "best_sampler", "best_steps", "best_guidance_scale", "num_images", "protocol"),
        ),
        if_varied=("benchmark", "train_seed", "best_guidance_scale", "num_images", "protocol"),
        covers="over images; neither training nor the choice of the best FID is covered",
    )

    def __call__(self, models: Iterable[tuple[Mapping[str, Any], Records]]) -> pandas.DataFrame:
        """Return the table of pairs: facts of a model, and the tidy records of its bound and of its sample sets.

        The facts are `benchmark`, `model`, `train_seed`, `weights` (the model whose weights it uses) and, if they are
        known, `parameters`, `flops_per_evaluation`, `training_steps` and `batch_size`. The best FID is the lowest one
        under the first protocol that has one, because FIDs under two protocols do not compare.
        """
        return framed([_row(facts, records) for facts, records in models], COLUMNS)


def _row(facts: Mapping[str, Any], records: Records) -> dict[str, Any]:
    row = {key: value for key, value in facts.items() if key in COLUMNS}
    steps, batch, flops = (facts.get(key) for key in ("training_steps", "batch_size", "flops_per_evaluation"))
    if steps is not None and batch is not None:
        row["images_seen"] = steps * batch
        if flops is not None:
            row["training_flops"] = float(BOTH_WAYS * flops * steps * batch)
    for item in records:
        if item["metric"] in BOUND:
            row[item["metric"]] = item["value"]
        if item["metric"] in ERRORS:
            row[ERRORS[item["metric"]]] = standard_error(item["low"], item["high"])
    best = _best([item for item in records if item["metric"] == "fid"])
    return row if best is None else row | {column: best[key] for column, key in BEST.items()}


def _best(scores: Records) -> Mapping[str, Any] | None:
    """Return the record of the lowest FID; None if all are NaN, which is the FID of samples that are no images."""
    known = [item for item in scores if not math.isnan(item["value"])]
    own = [item for item in known if item["protocol"] == known[0]["protocol"]]
    return min(own, key=lambda item: item["value"], default=None)
