"""Lines of the oracle's figure, its legend, and what it cannot draw."""

import numpy as np
import pytest

from diffbench.base.errors import UserError
from diffbench.figures._style import save_png
from diffbench.figures.error_vs_nfe import ErrorVsNfe
from diffbench.jobs.plot import FigurePart, PlotJob
from diffbench.stages.plot import plot


def test_a_line_for_each_sampler_and_a_panel_for_each_schedule(oracle):
    figure = ErrorVsNfe()(oracle)
    assert len(figure.axes) == 2
    for axes in figure.axes:
        assert axes.get_xscale() == axes.get_yscale() == "log"
        lines = {line.get_label(): line for line in axes.get_lines()}
        assert set(lines) == {
            "ancestral, fixed large: 0.97 (1)",
            "heun: 1.97 (2)",
        }
        heun = lines["heun: 1.97 (2)"]
        np.testing.assert_allclose(heun.get_xdata(), [15, 31, 63])
        np.testing.assert_allclose(heun.get_ydata(), [1 / 8**2, 1 / 16**2, 1 / 32**2])
        dashes = [line.is_dashed() for line in lines.values()]
        assert dashes == [True, False]


def test_what_cannot_be_drawn_is_named(oracle):
    with pytest.raises(UserError, match="no error of data '1/f' on schedule 'log_snr'"):
        ErrorVsNfe(data="1/f")(oracle)
    with pytest.raises(UserError, match="no error of data '1/f\\^2' on schedule 'linear'"):
        ErrorVsNfe(schedules=("linear",))(oracle)
    with pytest.raises(UserError, match="no column nfe, error; draw it from oracle.csv"):
        ErrorVsNfe()(oracle.drop(columns=["nfe", "error"]))
    with pytest.raises(UserError, match="an error of 0"):
        ErrorVsNfe()(oracle.assign(error=0.0))


def test_the_plot_stage_draws_it_from_the_file_too(oracle, tmp_path):
    oracle.to_csv(tmp_path / "oracle.csv", index=False)
    sources = {"table": (str(tmp_path / "oracle.csv"),)}
    plot(PlotJob(figure=FigurePart("error_vs_nfe"), sources=sources), out=[tmp_path / "a.png"])
    save_png(ErrorVsNfe()(oracle), tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
