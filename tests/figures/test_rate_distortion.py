"""The curve ends where the legend says, and arrays that do not fit are named."""

import numpy as np
import pytest

from diffbench.base.errors import UserError
from diffbench.figures.rate_distortion import RateDistortion


def test_lines_run_from_low_to_high_rate(curves):
    rate, distortion = curves["ddpm"]
    figure = RateDistortion()({"ddpm": (rate[::-1], distortion[::-1])})
    line = figure.axes[0].get_lines()[0]
    np.testing.assert_array_equal(line.get_xdata(), rate)
    np.testing.assert_array_equal(line.get_ydata(), distortion)
    assert line.get_label() == "ddpm: 2.00 bits/dim leave an RMSE of 10.83"


def test_wrong_input_is_named(curves):
    with pytest.raises(UserError, match="no curves"):
        RateDistortion()({})
    with pytest.raises(UserError, match=r"odd has rate \(3,\) and distortion \(4,\)"):
        RateDistortion()({"odd": (np.zeros(3), np.zeros(4))})
