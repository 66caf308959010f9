"""Lines, floor and axes of the figure of FID against steps."""

import numpy as np
import pandas
import pytest

from diffbench.base.errors import UserError
from diffbench.figures.fid_vs_steps import FidVsSteps


def drawn(figure):
    """Return {label: (x, y)} of the lines in the first panel."""
    lines = figure.axes[0].get_lines()
    return {line.get_label(): (line.get_xdata(), line.get_ydata()) for line in lines}


def test_one_line_for_each_model_and_sampler_and_the_floor(table):
    figure = FidVsSteps()(table)
    lines = drawn(figure)
    assert {"ddpm, ancestral", "ddpm, ddim", "iddpm, ancestral", "iddpm, ddim"} < set(lines)
    np.testing.assert_allclose(lines["iddpm, ddim"][0], [10, 25, 100])
    np.testing.assert_allclose(lines["iddpm, ddim"][1], [25, 13, 7])
    floors = [line for line in figure.axes[0].get_lines() if list(line.get_ydata()) == [3.0, 3.0]]
    assert len(floors) == 1 and floors[0].is_dashed()
    assert len(figure.axes) == 1 and figure.axes[0].get_xscale() == "log"
    looks = {
        (line.get_marker(), str(line.get_markerfacecolor()), line.get_linestyle())
        for line in figure.axes[0].get_lines()
    }
    assert len(looks) == 5  # told apart without colour


def test_solvers_with_more_evaluations_than_steps_get_a_second_axis(table):
    heun = table[table["sampler"] == "ddim"].assign(sampler="heun", nfe=lambda rows: 2 * rows["steps"] - 1)
    figure = FidVsSteps()(pandas.concat([table, heun]))
    assert [axes.get_xlabel() for axes in figure.axes] == ["sampling steps", "network evaluations"]


def test_seeds_are_averaged(table):
    second = table[table["model"] != "real"].assign(train_seed=1, fid=lambda rows: rows["fid"] + 2)
    lines = drawn(FidVsSteps()(pandas.concat([table, second])))
    np.testing.assert_allclose(lines["ddpm, ddim"][1], [25, 13, 7])


def test_interval_down_to_zero_leaves_the_axis_readable(table):
    figure = FidVsSteps()(table.assign(fid_low=-1.0))
    assert figure.axes[0].get_ylim()[0] > 1


def test_protocols_are_never_mixed(table):
    both = pandas.concat([table, table.assign(protocol="q", fid=table["fid"] * 2)])
    fewer = pandas.concat([table.iloc[:3].assign(protocol="q", fid=1.0), table])
    for mixed in (both, fewer):  # the protocol of most rows, the first of equals
        np.testing.assert_allclose(drawn(FidVsSteps()(mixed))["iddpm, ddim"][1], [25, 13, 7])
    np.testing.assert_allclose(drawn(FidVsSteps(protocol="q")(both))["iddpm, ddim"][1], [50, 26, 14])
    with pytest.raises(UserError, match="no row with an FID to draw; protocols in the table: p"):
        FidVsSteps(protocol="r")(table)


def words(figure):
    found = " ".join(text.get_text() for text in figure.findobj(lambda item: hasattr(item, "get_text")))
    return " ".join(found.split())


def test_a_table_without_fids_has_a_figure_that_says_so(table):
    without = table.assign(fid=np.nan, fid_low=np.nan, fid_high=np.nan, precision=0.5)
    assert "no row of the table has an FID above 0" in words(FidVsSteps()(without))
    assert "no row of the table has an FID above 0" in words(FidVsSteps()(table.assign(fid=0.0)))


def test_an_fid_of_zero_is_left_out_and_said(table):
    shown = FidVsSteps()(table.assign(fid=table["fid"].where(table["fid"] != table["fid"].max(), -1e-9)))
    hidden = int((table["fid"] == table["fid"].max()).sum())
    assert f"without {hidden} rows of FID 0 or less" in words(shown)
    assert "without" not in words(FidVsSteps()(table))
