"""The curve ends where the legend says, and arrays that do not fit are named."""

import numpy as np
import pytest

from diffbench.base.errors import UserError
from diffbench.figures.rate_distortion import RateDistortion


def test_lines_run_from_low_to_high_rate(curves):
    done, rate, distortion = curves["ddpm"]
    figure = RateDistortion()({"ddpm": (done[::-1], rate[::-1], distortion[::-1])})
    for axes, across, up in zip(figure.axes, (done, done, rate), (distortion, rate, distortion), strict=True):
        (line,) = axes.get_lines()
        np.testing.assert_array_equal(line.get_xdata(), across)
        np.testing.assert_array_equal(line.get_ydata(), up)
        assert line.get_label() == "ddpm: 2.00 bits/dim leave an RMSE of 10.83"


def test_wrong_input_is_named(curves):
    with pytest.raises(UserError, match="no curves"):
        RateDistortion()({})
    with pytest.raises(UserError, match=r"odd has time \(3,\), rate \(3,\) and distortion \(4,\)"):
        RateDistortion()({"odd": (np.zeros(3), np.zeros(3), np.zeros(4))})


@pytest.mark.parametrize("models", [1, 4, 10])
def test_the_legend_is_below_the_panels(curves, models):
    figure = RateDistortion()({f"a_model_with_a_long_name_{number}": curves["ddpm"] for number in range(models)})
    box, title = figure.legends[0].get_window_extent(), figure.texts[0].get_window_extent()
    assert 0 <= box.x0 and box.x1 <= figure.bbox.width
    assert len(figure.legends[0].get_texts()) == models
    for axes in figure.axes:
        assert not box.overlaps(axes.get_tightbbox()) and not title.overlaps(axes.get_tightbbox())
    looks = {(line.get_color(), line.get_marker(), line.get_linestyle()) for line in figure.legends[0].get_lines()}
    assert len(looks) == models
