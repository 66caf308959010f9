"""The table of progressive coding: order and numbers of the paper's, intervals over images."""

import numpy as np
import pytest

from diffbench.base.errors import UserError
from diffbench.tables.rate_distortion import RateDistortion

ROW = {"benchmark": "digits", "model": "ddpm", "train_seed": 0}


def terms(**changes):
    """Return terms of four images over ten timesteps, with a curve at t = 0 and t = 4."""
    arrays = {"width": np.array([1, 3, 6]), "prior": np.zeros(4), "curve_timesteps": np.array([0, 4])}
    arrays |= {"curve_rate": np.array([[2.0, 0.5]] * 2 + [[4.0, 0.7]] * 2), "curve_ssim": np.full((4, 2), 0.9)}
    arrays |= {"curve_x_0_mse": np.array([[0.01, 0.04]] * 4), "curve_psnr": np.full((4, 2), 30.0)}
    return arrays | changes


def test_rows_run_from_all_of_the_reverse_process_to_less():
    frame = RateDistortion()([(ROW, terms()), (ROW | {"model": "iddpm", "train_seed": 1}, terms())])
    assert frame["reverse_time"].tolist() == [10, 6] * 2 and frame["model"].tolist() == ["ddpm"] * 2 + ["iddpm"] * 2
    first = frame.iloc[0]
    assert (first["num_images"], first["rate_bits_per_dim"], first["ssim"], first["psnr"]) == (4, 3, 0.9, 30)
    standard_error = np.std([2, 2, 4, 4], ddof=1) / 2
    assert first["rate_bits_per_dim_high"] == pytest.approx(3 + 1.959964 * standard_error)
    assert frame["distortion_rmse"].tolist()[:2] == pytest.approx([12.75, 25.5])


def test_an_interval_of_the_error_does_not_go_below_zero():
    spread = np.array([[0.0, 0.1]] * 3 + [[1.0, 0.1]])
    first = RateDistortion()([(ROW, terms(curve_x_0_mse=spread))]).iloc[0]
    assert first["distortion_rmse_low"] == 0 and first["distortion_rmse"] == pytest.approx(127.5 / 2)


def test_an_exact_reconstruction_has_infinite_signal_to_noise():
    exact = np.array([[np.inf, 30.0]] + [[40.0, 30.0]] * 3)
    first = RateDistortion()([(ROW, terms(curve_psnr=exact))]).iloc[0]
    assert first["psnr"] == first["psnr_high"] == np.inf


def test_terms_without_a_curve_are_named():
    without = {name: value for name, value in terms().items() if not name.startswith("curve")}
    with pytest.raises(UserError, match="ddpm, train seed 0 have no curve"):
        RateDistortion()([(ROW, without)])
