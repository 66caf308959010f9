"""The table of progressive coding: rate and distortion by reverse process time (Ho et al. 2020, table 4)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas

from diffbench.base.errors import UserError
from diffbench.base.records import Estimate
from diffbench.base.sheets import METRICS, View

KEYS = ("benchmark", "model", "train_seed")

NUMBERS = ("rate_bits_per_dim", "distortion_rmse", "psnr", "ssim")

COLUMNS = (*KEYS, "num_images", "reverse_time", *(f"{name}{end}" for name in NUMBERS for end in ("", "_low", "_high")))

Terms = Mapping[str, np.ndarray]
"""The arrays of a file that the bound stage writes for the test split."""


@dataclass(frozen=True)
class RateDistortion:
    """One row for each model and point of its curve, from the whole reverse process to none of it, as in the paper."""

    consumes: ClassVar[str] = "terms"
    view: ClassVar[View] = View(
        title="Rate and distortion along the reverse process",
        columns=("benchmark", "model", "train_seed", "num_images", "reverse_time", METRICS),
        if_varied=("benchmark", "train_seed", "num_images"),
        ranked=False,
        covers="over images",
    )

    def __call__(self, terms: Sequence[tuple[Mapping[str, Any], Terms]]) -> pandas.DataFrame:
        """Return the table of pairs (what identifies a model, its terms).

        Its columns: reverse_time is the number of steps of the reverse process that are done, T at the end. The rate is
        cumulative, in bits/dim. The distortion is the RMSE of the predicted x_0 on the 0-255 scale, with PSNR in dB and
        SSIM. Intervals are over images.
        """
        return pandas.DataFrame([line for row, arrays in terms for line in _lines(row, arrays)], columns=list(COLUMNS))


def _lines(row: Mapping[str, Any], terms: Terms) -> list[dict[str, Any]]:
    name = f"{row['model']}, train seed {row['train_seed']}"
    if "curve_timesteps" not in terms:
        raise UserError(f"rate_distortion: the terms of {name} have no curve; only the test split has one")
    length, num_images = int(np.sum(terms["width"])), len(terms["prior"])
    lines = []
    for point, t in enumerate(np.asarray(terms["curve_timesteps"]).tolist()):
        line = {**{key: row[key] for key in KEYS}, "num_images": num_images, "reverse_time": length - t}
        line |= _cells("rate_bits_per_dim", _mean(terms["curve_rate"][:, point]))
        error = _mean(terms["curve_x_0_mse"][:, point])
        root = 127.5 * np.sqrt([error.value, max(error.low, 0), error.high])
        line |= _cells("distortion_rmse", Estimate(*root.tolist()))
        line |= _cells("psnr", _mean(terms["curve_psnr"][:, point]))
        line |= _cells("ssim", _mean(terms["curve_ssim"][:, point]))
        lines.append(line)
    return lines


def _mean(values: np.ndarray) -> Estimate:
    # An image that is predicted exactly has infinite PSNR. The mean is then infinite too, and has no interval.
    if not np.isfinite(values).all():
        value = float(np.mean(values))
        return Estimate(value, value, value)
    return Estimate.normal(float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values))))


def _cells(name: str, estimate: Estimate) -> dict[str, float]:
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
